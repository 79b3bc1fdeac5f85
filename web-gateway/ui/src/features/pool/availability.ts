// What a request would find, told from what is there now: what is warm, what has room, and so whether it is served at once.
import { type Appliance, ApplianceState } from "$/gen/sprout/appliance/v1/appliance_pb";
import { CircuitState, type Provider } from "$/gen/sprout/provider/v1/provider_pb";
import { type Template, TemplateState, type TemplateType } from "$/gen/sprout/template/v1/template_pb";

/** What is asked for; empty: any, or the newest. */
export interface Wanted {
  group: string;
  version: string;
  date: string;
  provider: string;
  providerType: string;
  templateType: TemplateType;
  unconfigured: boolean;
  count: number;
  /** Memory or CPUs are overridden, which nothing warm has. */
  overridden: boolean;
}

export interface Place {
  provider: Provider;
  /** Ready to be handed out now. */
  warm: number;
  /** Deployments that could begin now. */
  free: number;
  /** Why it is not used; empty: it is. */
  not: string;
}

export interface Choices {
  versions: string[];
  dates: string[];
  providers: string[];
  /** What it resolves to. */
  version: string;
  date: string;
  places: Place[];
}

/** What is not said has no limit. */
export function free(provider: Provider): number {
  const slots = provider.provisioningLimit - provider.provisioningCount;
  const room = provider.applianceLimit === undefined ? Infinity : provider.applianceLimit - provider.applianceCount;
  return Math.max(0, Math.min(slots, room));
}

export function notUsed(provider: Provider): string {
  if (provider.hidden) return "hidden";
  if (provider.disabled) return "disabled";
  if (provider.circuit === CircuitState.OPEN) return "too many deployments failed there";
  if (!provider.working) return provider.checkedAt ? "it does not work" : "not checked yet";
  return "";
}

/** The templates are those of the group, newest version and date first. */
export function choices(wanted: Wanted, templates: Template[], providers: Provider[], warm: Appliance[]): Choices {
  const known = new Map(providers.map((provider) => [provider.key, provider]));
  const usable = templates.filter(
    (one) =>
      one.group === wanted.group &&
      (one.state === TemplateState.READY || one.state === TemplateState.QUARANTINED) &&
      !one.obsolete &&
      !one.unusableReason &&
      one.unconfigured === wanted.unconfigured &&
      (!wanted.templateType || one.type === wanted.templateType) &&
      (!wanted.providerType || known.get(one.provider)?.type === wanted.providerType),
  );
  const unique = (texts: string[]) => [...new Set(texts)].filter(Boolean);
  const at = (one: Template) => !wanted.provider || one.provider === wanted.provider;
  const versions = unique(usable.filter(at).map((one) => one.version));
  const healthy = usable.filter((one) => at(one) && one.state === TemplateState.READY);
  const version = wanted.version || (healthy[0]?.version ?? versions[0] ?? "");
  const ofVersion = usable.filter((one) => one.version === version);
  const dates = unique(ofVersion.filter(at).map((one) => one.date)).sort().reverse();
  const date = wanted.date || (dates[0] ?? "");
  const exact = ofVersion.filter((one) => one.date === date || !one.date);
  const keys = unique(exact.map((one) => one.provider));
  const places = keys
    .filter((key) => !wanted.provider || key === wanted.provider)
    .flatMap((key) => {
      const provider = known.get(key);
      if (!provider) return [];
      const quarantined = exact.filter((one) => one.provider === key).every((one) => one.state === TemplateState.QUARANTINED);
      const ready = wanted.overridden
        ? []
        : warm.filter(
            (one) =>
              one.provider === key &&
              one.state === ApplianceState.READY &&
              one.poolId === undefined &&
              one.group === wanted.group &&
              one.version === version &&
              (one.date === date || !date) &&
              one.unconfigured === wanted.unconfigured,
          );
      const not = notUsed(provider) || (quarantined ? "the template is quarantined" : "");
      return [{ provider, warm: ready.length, free: not ? 0 : free(provider), not }];
    });
  return { versions, dates, providers: unique(usable.filter((one) => (!wanted.version || one.version === wanted.version)).map((one) => one.provider)).sort(), version, date, places };
}

export interface Forecast {
  kind: "warm" | "deploy" | "wait" | "never";
  text: string;
}

/** What will become of a request, as things are now. */
export function forecast(count: number, found: Choices): Forecast {
  if (found.places.length === 0) return { kind: "never", text: "There is no template for this: it would be refused." };
  const warm = found.places.filter((place) => !place.not).reduce((sum, place) => sum + place.warm, 0);
  const room = found.places.reduce((sum, place) => sum + place.free, 0);
  const many = (n: number) => `${n} ${n === 1 ? "is" : "are"}`;
  if (warm >= count) return { kind: "warm", text: count === 1 ? "One is warm: you have it at once." : `${many(count)} warm: you have them at once.` };
  const rest = count - warm;
  const first = warm > 0 ? `${many(warm)} warm and yours at once, ` : "";
  if (room >= rest) return { kind: "deploy", text: `${first}${many(rest)} deployed right away.` };
  if (found.places.every((place) => place.not)) return { kind: "wait", text: "It waits: no provider that has the template is in use now." };
  const begun = room > 0 ? `${many(room)} deployed right away, ` : "";
  return { kind: "wait", text: `${first}${begun}${rest - room} ${rest - room === 1 ? "waits" : "wait"} for room.` };
}
