// Names that many filters offer: groups and providers, read once and again when they change.
import { client } from "$/api/clients";
import { query } from "$/api/query.svelte";
import { EventKind } from "$/gen/sprout/event/v1/event_pb";
import { GroupService } from "$/gen/sprout/group/v1/group_pb";
import { ProviderService } from "$/gen/sprout/provider/v1/provider_pb";

const groups = client(GroupService);
const providers = client(ProviderService);

export const groupNames = () => query(async (signal) => (await groups.listGroups({}, { signal })).groups.map((one) => one.name));
export const providerKeys = () =>
  query(async (signal) => (await providers.listProviders({}, { signal })).providers.map((one) => one.key), {
    on: (event) => event.kind === EventKind.PROVIDER_CHANGED,
  });
