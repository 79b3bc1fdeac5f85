// What changed, found by looking: for users to whom the server gives no stream of all their events. Each change is told as an event would be.
import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { ApplianceSchema, ApplianceService } from "$/gen/sprout/appliance/v1/appliance_pb";
import { type Event, EventKind, EventSchema } from "$/gen/sprout/event/v1/event_pb";
import { PoolSchema, PoolService } from "$/gen/sprout/pool/v1/pool_pb";
import { ProviderSchema, ProviderService } from "$/gen/sprout/provider/v1/provider_pb";
import { client } from "$/api/clients";

const PAGE = 1000;

/** What it looked like last, and what is different now. */
class Seen<K> {
  #known: Map<K, string> | undefined;

  differences<S extends DescMessage>(schema: S, all: MessageShape<S>[], key: (one: MessageShape<S>) => K): K[] {
    const now = new Map(all.map((one) => [key(one), toBinary(schema, one).join()]));
    const before = this.#known;
    this.#known = now;
    if (!before) return [];
    const changed = [...now].filter(([id, text]) => before.get(id) !== text).map(([id]) => id);
    return [...changed, ...[...before.keys()].filter((id) => !now.has(id))];
  }
}

export class Changes {
  #pools = client(PoolService);
  #appliances = client(ApplianceService);
  #providers = client(ProviderService);
  #seenPools = new Seen<bigint>();
  #seenAppliances = new Seen<bigint>();
  #seenProviders = new Seen<string>();
  /** Which pool an appliance was in, for when it is gone. */
  #poolOf = new Map<bigint, bigint>();

  /** What is different since it last looked. */
  async look(signal: AbortSignal): Promise<Event[]> {
    const [pools, appliances, providers] = await Promise.all([
      this.#pools.listPools({ pageSize: PAGE }, { signal }),
      this.#appliances.listAppliances({ pageSize: PAGE }, { signal }),
      this.#providers.listProviders({}, { signal }),
    ]);
    const found: Event[] = [];
    for (const id of this.#seenPools.differences(PoolSchema, pools.pools, (one) => one.id)) {
      found.push(create(EventSchema, { kind: EventKind.POOL_STATE, poolId: id }));
    }
    for (const one of appliances.appliances) if (one.poolId !== undefined) this.#poolOf.set(one.id, one.poolId);
    for (const id of this.#seenAppliances.differences(ApplianceSchema, appliances.appliances, (one) => one.id)) {
      const poolId = this.#poolOf.get(id);
      found.push(create(EventSchema, { kind: EventKind.APPLIANCE_STATE, applianceId: id, ...(poolId !== undefined && { poolId }) }));
    }
    for (const key of this.#seenProviders.differences(ProviderSchema, providers.providers, (one) => one.key)) {
      found.push(create(EventSchema, { kind: EventKind.PROVIDER_CHECKED, provider: key }));
    }
    return found;
  }
}
