// What can be done to providers, and how one stands.
import { ask } from "$/ask.svelte";
import { client } from "$/api/clients";
import { session } from "$/api/session.svelte";
import type { Tone } from "$/components/Badge.svelte";
import type { Item } from "$/components/Menu.svelte";
import { type Event, EventKind } from "$/gen/sprout/event/v1/event_pb";
import { CircuitState, type Provider, ProviderService } from "$/gen/sprout/provider/v1/provider_pb";
import { act } from "$/toasts.svelte";

export const providers = client(ProviderService);

/** Events after which counts, health or settings of providers may be others. */
export const concerns = (event: Event): boolean =>
  event.kind === EventKind.PROVIDER_CHECKED ||
  event.kind === EventKind.PROVIDER_CIRCUIT ||
  event.kind === EventKind.PROVIDER_CHANGED ||
  event.kind === EventKind.APPLIANCE_STATE ||
  event.kind === EventKind.APPLIANCE_CREATED ||
  event.kind === EventKind.TEMPLATE_STATE;

/** How it stands in a word. */
export function standing(provider: Provider): { word: string; tone: Tone } {
  if (provider.hidden) return { word: "hidden", tone: "rest" };
  if (provider.disabled) return { word: "disabled", tone: "rest" };
  if (provider.circuit === CircuitState.OPEN) return { word: "circuit open", tone: "bad" };
  if (!provider.checkedAt) return { word: "not checked yet", tone: "rest" };
  if (!provider.working) return { word: "failing", tone: "bad" };
  if (provider.circuit === CircuitState.HALF_OPEN) return { word: "trying again", tone: "warn" };
  return { word: "working", tone: "good" };
}

export function menu(provider: Provider): Item[] {
  if (!session.staff) return [];
  const { key } = provider;
  const items: Item[] = [{ label: "Check now", icon: "reboot", run: () => void act(() => providers.checkProvider({ key }), `${key} is being checked.`) }];
  if (provider.circuit !== CircuitState.CLOSED && provider.circuit !== CircuitState.UNSPECIFIED) {
    items.push({ label: "Close the circuit", icon: "power", run: () => void act(() => providers.closeCircuit({ key }), `${key} is used again.`) });
  }
  items.push(
    provider.disabled
      ? { label: "Enable", icon: "start", part: true, run: () => void act(() => providers.updateProvider({ key, disabled: false }), `${key} is enabled.`) }
      : {
          label: "Disable",
          icon: "ban",
          part: true,
          danger: true,
          run: () =>
            ask({
              title: `Disable ${key}?`,
              text: "It gets no new appliances; those that are there stay.",
              action: `Disable ${key}`,
              danger: true,
              run: () => providers.updateProvider({ key, disabled: true }),
            }),
        },
    provider.hidden
      ? { label: "Show", icon: "ok", run: () => void act(() => providers.updateProvider({ key, hidden: false }), `${key} is shown.`) }
      : {
          label: "Hide",
          icon: "close",
          danger: true,
          run: () =>
            ask({
              title: `Hide ${key}?`,
              text: "Nobody but staff sees it, and it gets no new appliances.",
              action: `Hide ${key}`,
              danger: true,
              run: () => providers.updateProvider({ key, hidden: true }),
            }),
        },
  );
  return items;
}
