// What can be done to pools, and what is asked before.
import { ask, type Field } from "$/ask.svelte";
import { client } from "$/api/clients";
import { unavailable } from "$/api/errors";
import { session } from "$/api/session.svelte";
import type { Item } from "$/components/Menu.svelte";
import { count, duration, parseSpan, seconds, shortSpan } from "$/format";
import { type Pool, PoolService, PoolState } from "$/gen/sprout/pool/v1/pool_pb";
import { UserService } from "$/gen/sprout/user/v1/user_pb";
import { here, to } from "$/router.svelte";
import { act, toasts } from "$/toasts.svelte";

export const pools = client(PoolService);
const users = client(UserService);

/** Unique; also where the page came without TLS, and `randomUUID` is not there. */
export function requestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `ui-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Calls again what may be repeated, while the server is away: at most about 20 s. */
export async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (let wait = 300; ; wait *= 2) {
    try {
      return await call();
    } catch (error) {
      if (!unavailable(error) || wait > 10_000) throw error;
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

export const checkSpan = (text: string) => (parseSpan(text) ? undefined : "A time such as 90m, 2h or 1d.");
export const leaseField = (value: string, label = "Lease from now"): Field => ({
  name: "lease",
  label,
  value,
  hint: "A time such as 90m, 2h or 1d.",
  suggestions: ["1h", "2h", "4h", "8h", "1d"],
  check: checkSpan,
});

/** What people call it: its description, or what is in it. */
export const nameOf = (pool: Pool): string => pool.description || `${pool.group} ${pool.version}`;
export const live = (pool: Pool): boolean =>
  pool.state === PoolState.WAITING || pool.state === PoolState.PROVISIONING || pool.state === PoolState.READY;

export function extend(pool: Pool): void {
  ask({
    title: `Extend pool ${pool.id}`,
    text: "All leases of the pool end this long from now, within the group's maximum.",
    action: "Extend",
    fields: [leaseField(shortSpan(seconds(pool.lease) || 3600))],
    run: (values) => pools.extendPool({ id: pool.id, lease: duration(parseSpan(values.lease ?? "") ?? 0) }),
  });
}

export function kill(pool: Pool): void {
  ask({
    title: `Kill pool ${pool.id}?`,
    text: `“${nameOf(pool)}” ends at once, and ${count(pool.count, "appliance")} with everything on them ${pool.count === 1 ? "is" : "are"} deleted.`,
    action: `Kill pool ${pool.id}`,
    danger: true,
    run: () => pools.killPool({ id: pool.id }),
  });
}

export function killAll(owner: string, howMany: number): void {
  ask({
    title: "Kill all pools?",
    text: `${howMany === 0 ? "All pools" : count(howMany, "pool")} of ${owner} end at once, and all appliances in them are deleted.`,
    action: "Kill all",
    danger: true,
    type: owner,
    run: () => pools.killPools(owner === session.name ? {} : { owner }),
  });
}

export function clone(pool: Pool): void {
  const id = requestId();
  ask({
    title: `Another pool like ${pool.id}`,
    text: `Same group, version, date and filters: ${pool.group} ${pool.version}.`,
    action: "Request",
    fields: [
      { name: "count", label: "Appliances", type: "number", value: String(pool.count), check: (text) => (Number(text) >= 1 ? undefined : "At least 1.") },
      leaseField(shortSpan(seconds(pool.lease) || 3600), "Lease"),
    ],
    run: async (values) => {
      const lease = duration(parseSpan(values.lease ?? "") ?? 0);
      const made = await insist(() => pools.clonePool({ id: pool.id, requestId: id, count: Number(values.count), lease }));
      toasts.good(`Pool ${made.pool?.id} is requested.`);
    },
  });
}

async function merge(pool: Pool): Promise<void> {
  const { pools: all } = await pools.listPools({ owner: pool.owner, group: pool.group, states: [PoolState.READY], pageSize: 1000 });
  const others = all.filter((one) => one.id !== pool.id && one.version === pool.version && one.date === pool.date);
  if (others.length === 0) {
    toasts.bad(`There is no other ready pool of ${pool.owner} with ${pool.group} ${pool.version} to merge with.`);
    return;
  }
  ask({
    title: `Merge into pool ${pool.id}`,
    text: "All appliances of the other pool become part of this one; the other one ends.",
    action: "Merge",
    danger: true,
    fields: [{ name: "source", label: "The other pool", type: "select", value: String(others[0]?.id), options: others.map((one) => ({ value: String(one.id), label: `${one.id}: ${nameOf(one)} (${one.count})` })) }],
    run: (values) => pools.mergePools({ targetId: pool.id, sourceId: BigInt(values.source ?? "0") }),
  });
}

async function transfer(pool: Pool): Promise<void> {
  const known = session.staff ? (await users.listUsers({ pageSize: 1000 })).users.map((user) => user.name) : [];
  ask({
    title: `Give pool ${pool.id} away`,
    text: "Another user goes on with it. They must see all providers its appliances are on, and have the quota for it.",
    action: "Transfer",
    fields: [{ name: "owner", label: "New owner", required: true, suggestions: known, check: (text) => (text.trim() ? undefined : "The name of a user.") }],
    run: async (values) => {
      await pools.transferPool({ id: pool.id, owner: (values.owner ?? "").trim() });
      toasts.good(`Pool ${pool.id} is ${values.owner}'s now.`);
    },
  });
}

export function describe(pool: Pool): void {
  ask({
    title: `Describe pool ${pool.id}`,
    action: "Save",
    fields: [{ name: "description", label: "Description", value: pool.description, hint: "What it is for; at most 1,024 bytes." }],
    run: (values) => pools.describePool({ id: pool.id, description: values.description ?? "" }),
  });
}

/** Everything that can be done to a pool. */
export function menu(pool: Pool): Item[] {
  const ended = pool.state === PoolState.ENDED || pool.state === PoolState.ENDING || pool.state === PoolState.FAILED;
  const over = ended ? "It has ended." : undefined;
  const unready = over ?? (pool.state === PoolState.READY ? undefined : "It is not ready yet.");
  const items: Item[] = [
    { label: "Show", icon: "right", run: () => here.go(to`/pools/${pool.id}`) },
    { label: "Describe", icon: "rename", run: () => describe(pool) },
    { label: "Extend", icon: "timer", run: () => extend(pool), ...(unready && { not: unready }) },
  ];
  if (session.superuser) {
    items.push({ label: "Never expire", icon: "forever", run: () => void act(() => pools.extendPool({ id: pool.id, neverExpire: true }), `Pool ${pool.id} never expires.`), ...(unready && { not: unready }) });
  }
  items.push(
    { label: "Clone", icon: "clone", run: () => clone(pool), part: true },
    { label: "Merge", icon: "merge", run: () => void act(() => merge(pool)), ...(unready && { not: unready }) },
    { label: "Transfer", icon: "transfer", run: () => void act(() => transfer(pool)), ...(unready && { not: unready }) },
    { label: "Kill", icon: "kill", danger: true, part: true, run: () => kill(pool), ...(ended && { not: "It has ended." }) },
  );
  return items;
}
