// The pools of a list with their appliances, each read again by itself as events tell of it.
import { untrack } from "svelte";
import { reason } from "$/api/errors";
import { live } from "$/api/live.svelte";
import { type Query, query } from "$/api/query.svelte";
import type { Event } from "$/gen/sprout/event/v1/event_pb";
import { type Pool, PoolState } from "$/gen/sprout/pool/v1/pool_pb";
import { pools } from "$/features/pool/pool";

export interface Question {
  owner: string | undefined;
  states: PoolState[];
  group: string;
  part: string;
  page: string;
}

/** Whether appliances of all pools of a page are read at once; of longer lists only those that are opened. */
const ALL = 30;
/** A pool that failed is shown for this long, that its owner learns why. */
const FAILED_SHOWN = 3_600_000;
const GAP = 60;

interface Found {
  pools: Pool[];
  next: string;
}

export class PoolList {
  query: Query<Found>;
  /** Read after the list was: newer than what is in it. */
  #newer = $state.raw(new Map<bigint, Pool | undefined>());
  #dirty = new Set<bigint>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #busy = false;

  constructor(private question: () => Question) {
    this.query = query((signal) => this.#load(signal));
    $effect(() => {
      const leave = live.listen((event) => event && this.#heard(event));
      return () => {
        leave();
        clearTimeout(this.#timer);
      };
    });
  }

  get pools(): Pool[] {
    const all = new Map((this.query.value?.pools ?? []).map((pool) => [pool.id, pool]));
    for (const [id, pool] of this.#newer) {
      if (pool && this.#fits(pool, all.has(id))) all.set(id, pool);
      else all.delete(id);
    }
    return [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  /** Reads one pool with its appliances. */
  open(id: bigint): void {
    this.#dirty.add(id);
    this.#schedule();
  }

  async #load(signal: AbortSignal): Promise<Found> {
    const { owner, states, group, part, page } = this.question();
    const filter = { ...(owner !== undefined && { owner }), ...(group && { group }), ...(part && { descriptionPart: part }) };
    const begun = new Set(untrack(() => this.#newer).keys());
    const [list, failed] = await Promise.all([
      pools.listPools({ ...filter, states, pageSize: 50, pageToken: page }, { signal }),
      states.length === 0 && page === "" ? pools.listPools({ ...filter, states: [PoolState.FAILED], pageSize: 5 }, { signal }) : undefined,
    ]);
    const recent = (failed?.pools ?? []).filter((pool) => Date.now() - Number(pool.createdAt?.seconds ?? 0) * 1000 < FAILED_SHOWN);
    let found = [...list.pools, ...recent];
    if (found.length <= ALL) found = await Promise.all(found.map((pool) => this.#get(pool.id, signal).then((whole) => whole ?? pool)));
    // What was read before this list was is older than it.
    this.#newer = new Map([...this.#newer].filter(([id]) => !begun.has(id)));
    return { pools: found, next: list.nextPageToken };
  }

  async #get(id: bigint, signal?: AbortSignal): Promise<Pool | undefined> {
    try {
      return (await pools.getPool({ id }, signal ? { signal } : {})).pool;
    } catch (error) {
      if (reason(error) === "POOL_NOT_FOUND") return undefined;
      throw error;
    }
  }

  #heard(event: Event): void {
    if (event.poolId === undefined) return;
    this.#dirty.add(event.poolId);
    this.#schedule();
  }

  #schedule(): void {
    if (!this.#busy) this.#timer ??= setTimeout(() => void this.#flush(), GAP);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    this.#busy = true;
    const ids = [...this.#dirty];
    this.#dirty.clear();
    const known = new Set(this.pools.map((pool) => pool.id));
    // A first page shows what is new; others only what is on them.
    const wanted = ids.filter((id) => known.has(id) || this.question().page === "");
    const read = await Promise.allSettled(wanted.map(async (id) => [id, await this.#get(id)] as const));
    const newer = new Map(this.#newer);
    for (const [index, one] of read.entries()) {
      const id = wanted[index];
      if (one.status === "fulfilled") newer.set(one.value[0], one.value[1]);
      // The server is away: it is read again with everything else when the stream is back.
      else if (id !== undefined) this.query.refresh();
    }
    this.#newer = newer;
    this.#busy = false;
    if (this.#dirty.size > 0) this.#schedule();
  }

  #fits(pool: Pool, shown: boolean): boolean {
    const { owner, states, group, part } = this.question();
    if (owner !== undefined && pool.owner !== owner) return false;
    if (group && pool.group !== group) return false;
    if (part && !pool.description.toLowerCase().includes(part.toLowerCase())) return false;
    if (states.length > 0) return states.includes(pool.state);
    return pool.state !== PoolState.ENDED && (pool.state !== PoolState.FAILED || shown);
  }
}
