// What can be done to appliances, and what is asked before.
import { ask } from "$/ask.svelte";
import { client } from "$/api/clients";
import { session } from "$/api/session.svelte";
import type { Item } from "$/components/Menu.svelte";
import { checkSpan, leaseField } from "$/features/pool/pool";
import { capital, sentence } from "$/api/errors";
import { count, duration, parseSpan } from "$/format";
import { type Appliance, ApplianceService, ApplianceState } from "$/gen/sprout/appliance/v1/appliance_pb";
import { here, to } from "$/router.svelte";
import { act, toasts } from "$/toasts.svelte";

export const appliances = client(ApplianceService);

const S = ApplianceState;
/** On its way to being ready for the first time. */
export const deploying = (state: ApplianceState): boolean => [S.REQUESTED, S.CLONING, S.STARTING, S.PREPARING].includes(state);
export const over = (state: ApplianceState): boolean => [S.KILLING, S.GONE, S.FAILED].includes(state);

export function extend(appliance: Appliance): void {
  ask({
    title: `Extend ${appliance.name}`,
    text: "Its lease ends this long from now, within the group's maximum.",
    action: "Extend",
    fields: [leaseField("2h")],
    run: (values) => appliances.extendAppliance({ id: appliance.id, lease: duration(parseSpan(values.lease ?? "") ?? 0) }),
  });
}

function hold(appliance: Appliance): void {
  ask({
    title: `Hold ${appliance.name}`,
    text: "It is kept although its lease ends, for debugging; at most 7 days.",
    action: "Hold",
    fields: [
      { name: "reason", label: "Why", hint: "For those who would like its slot.", check: (text) => (text.trim() ? undefined : "Say why it is held.") },
      { name: "time", label: "How long", value: "1d", hint: "A time such as 4h or 2d.", check: checkSpan },
    ],
    run: (values) => appliances.holdAppliance({ id: appliance.id, reason: values.reason ?? "", time: duration(parseSpan(values.time ?? "") ?? 0) }),
  });
}

export function kill(appliance: Appliance): void {
  ask({
    title: `Kill ${appliance.name}?`,
    text: "Its lease is over at once, and it is deleted with everything on it.",
    action: `Kill ${appliance.name}`,
    danger: true,
    run: () => appliances.killAppliance({ id: appliance.id }),
  });
}

/** Does the same to several, and says of which it was refused. */
async function each(all: Appliance[], what: (one: Appliance) => Promise<unknown>): Promise<void> {
  const done = await Promise.allSettled(all.map(what));
  const refused = done.flatMap((one, index) => (one.status === "rejected" ? [`${all[index]?.name}: ${sentence(one.reason)}`] : []));
  if (refused.length > 0) throw new Error(`${count(refused.length, "appliance was", "appliances were")} refused. ${refused.slice(0, 3).join(" ")}`);
}
const names = (all: Appliance[]) => `${all.slice(0, 8).map((one) => one.name).join(", ")}${all.length > 8 ? ` and ${all.length - 8} more` : ""}`;

export function extendAll(all: Appliance[]): void {
  ask({
    title: `Extend ${count(all.length, "appliance")}`,
    text: `${names(all)}: their leases end this long from now.`,
    action: "Extend",
    fields: [leaseField("2h")],
    run: (values) => each(all, ({ id }) => appliances.extendAppliance({ id, lease: duration(parseSpan(values.lease ?? "") ?? 0) })),
  });
}

export function killAll(all: Appliance[]): void {
  ask({
    title: `Kill ${count(all.length, "appliance")}?`,
    text: `${names(all)}: deleted at once, with everything on them.`,
    action: `Kill ${count(all.length, "appliance")}`,
    danger: true,
    type: count(all.length, "appliance"),
    run: () => each(all, ({ id }) => appliances.killAppliance({ id })),
  });
}

function reset(appliance: Appliance): void {
  ask({
    title: `Reset ${appliance.name}?`,
    text: "It is deployed anew from its template, under the same id and in the same pool. Everything on it is lost.",
    action: `Reset ${appliance.name}`,
    danger: true,
    run: () => appliances.resetAppliance({ id: appliance.id }),
  });
}

function attach(appliance: Appliance): void {
  ask({
    title: `Attach a disk to ${appliance.name}`,
    action: "Attach",
    fields: [{ name: "size", label: "Size in MiB", type: "number", value: "1024", check: (text) => (Number(text) >= 1 ? undefined : "At least 1.") }],
    run: (values) => appliances.attachDisk({ id: appliance.id, sizeMib: BigInt(values.size ?? "0") }),
  });
}

function detach(appliance: Appliance): void {
  ask({
    title: `Detach the disk of ${appliance.name}?`,
    text: "The disk is deleted with everything on it.",
    action: "Detach and delete",
    danger: true,
    run: () => appliances.detachDisk({ id: appliance.id }),
  });
}

function forget(appliance: Appliance): void {
  ask({
    title: `Forget ${appliance.name}?`,
    text: "Only where its provider is not configured any more: it counts as gone, whatever is left there.",
    action: `Forget ${appliance.name}`,
    danger: true,
    type: appliance.name,
    run: () => appliances.forgetAppliance({ id: appliance.id }),
  });
}

async function openConsole(appliance: Appliance): Promise<void> {
  const { url } = await appliances.getConsole({ id: appliance.id });
  ask({
    title: `Console of ${appliance.name}`,
    text: `Its screen is at ${url}. Open it with a viewer on a machine that reaches the provider.`,
    action: "Copy",
    run: async () => {
      await navigator.clipboard.writeText(url);
      toasts.good("Copied.");
    },
  });
}

export function describe(appliance: Appliance): void {
  ask({
    title: `Describe ${appliance.name}`,
    action: "Save",
    fields: [{ name: "description", label: "Description", value: appliance.description, hint: "At most 1,024 bytes." }],
    run: (values) => appliances.describeAppliance({ id: appliance.id, description: values.description ?? "" }),
  });
}

function rename(appliance: Appliance): void {
  ask({
    title: `Rename ${appliance.name}`,
    action: "Rename",
    fields: [{ name: "name", label: "New name", value: appliance.name, hint: "1 to 63 letters, digits, and -_. , as far as the provider takes it." }],
    run: (values) => appliances.renameAppliance({ id: appliance.id, name: (values.name ?? "").trim() }),
  });
}

/** Everything that can be done to an appliance, in the state it is in. */
export function menu(appliance: Appliance): Item[] {
  const { id, state } = appliance;
  const gone = over(state) ? "It is being killed, or gone." : undefined;
  const young = gone ?? (deploying(state) ? "It is not ready yet." : undefined);
  const because = (not: string | undefined) => (not ? { not } : {});
  const items: Item[] = [{ label: "Show", icon: "right", run: () => here.go(to`/appliances/${id}`) }];
  if (state === S.OFF) items.push({ label: "Start", icon: "start", part: true, run: () => void act(() => appliances.startAppliance({ id })) });
  else if (state === S.SUSPENDED) items.push({ label: "Resume", icon: "start", part: true, run: () => void act(() => appliances.resumeAppliance({ id })) });
  else {
    const running = gone ?? (state === S.READY ? undefined : `It is ${capital(ApplianceState[state] ?? "").toLowerCase()}`);
    items.push(
      { label: "Stop", icon: "stop", part: true, run: () => void act(() => appliances.stopAppliance({ id })), ...because(running) },
      { label: "Suspend", icon: "suspend", run: () => void act(() => appliances.suspendAppliance({ id })), ...because(running) },
      { label: "Reboot", icon: "reboot", run: () => void act(() => appliances.rebootAppliance({ id })), ...because(running) },
    );
  }
  items.push(
    { label: "Extend", icon: "timer", part: true, run: () => extend(appliance), ...because(young ?? (appliance.poolId === undefined ? "It belongs to no pool." : undefined)) },
    appliance.holdReason === undefined
      ? { label: "Hold", icon: "hold", run: () => hold(appliance), ...because(young) }
      : { label: "End the hold", icon: "hold", run: () => void act(() => appliances.unholdAppliance({ id }), "It is held no longer.") },
    { label: "Rename", icon: "rename", part: true, run: () => rename(appliance), ...because(young) },
    { label: "Describe", icon: "rename", run: () => describe(appliance), ...because(gone) },
    { label: "Console", icon: "console", run: () => void act(() => openConsole(appliance)), ...because(young) },
    { label: "Logs", icon: "log", run: () => here.go(`${to`/appliances/${id}`}#logs`) },
    appliance.diskMib === undefined
      ? { label: "Attach a disk", icon: "plus", run: () => attach(appliance), ...because(young) }
      : { label: "Detach the disk", icon: "close", run: () => detach(appliance), ...because(young) },
    { label: "Reset", icon: "reboot", danger: true, part: true, run: () => reset(appliance), ...because(young) },
    { label: "Kill", icon: "kill", danger: true, run: () => kill(appliance), ...because(state === S.GONE ? "It is gone." : undefined) },
  );
  if (session.superuser && state === S.KILLING) items.push({ label: "Forget", icon: "ban", danger: true, run: () => forget(appliance) });
  return items;
}
