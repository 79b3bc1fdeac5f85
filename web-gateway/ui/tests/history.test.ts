import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { history } from "$/features/operations/history";
import { type Event, EventKind, EventSchema } from "$/gen/sprout/event/v1/event_pb";

const event = (sequence: number, at: number, kind: EventKind, more: Omit<Partial<Event>, "$typeName" | "$unknown">): Event =>
  create(EventSchema, { sequence: BigInt(sequence), happenedAt: { seconds: BigInt(at), nanos: 0 }, kind, ...more });
const now = { pools: new Map<string, number>(), appliances: new Map<string, number>() };

test("states over time follow the events, whatever their order, and what had none is as it is now", () => {
  const events = [
    event(3, 30, EventKind.POOL_STATE, { poolId: 7n, state: "ready" }),
    event(1, 10, EventKind.POOL_REQUESTED, { poolId: 7n, state: "waiting" }),
    event(2, 20, EventKind.POOL_STATE, { poolId: 7n, state: "provisioning" }),
  ];
  const found = history(events, 0, 40, { ...now, pools: new Map([["7", -1], ["8", 0]]) }, 4);
  expect(found.pools.times).toEqual([0, 10, 20, 30, 40]);
  expect(found.pools.rows).toEqual([[1, 2, 1, 1, 1], [0, 0, 1, 0, 0]]);
  expect(found.timeToReady).toEqual({ times: [30], rows: [[20]] });
});

test("what was served warm, what was deployed, and what failed are counted where they happened", () => {
  const events = [
    event(1, 5, EventKind.APPLIANCE_GRANTED, { poolId: 1n, applianceId: 1n }),
    event(2, 15, EventKind.APPLIANCE_CREATED, { poolId: 1n, applianceId: 2n }),
    event(3, 15, EventKind.APPLIANCE_CREATED, { applianceId: 3n }),
    event(4, 16, EventKind.STEP_STARTED, { workflowId: 1n }),
    event(5, 36, EventKind.STEP_FAILED, { workflowId: 1n }),
    event(6, 38, EventKind.POOL_STATE, { poolId: 1n, state: "failed" }),
  ];
  const found = history(events, 0, 40, now, 4);
  expect(found.requests.rows).toEqual([[0, 1, 0, 0, 0], [0, 0, 1, 0, 0]]);
  expect(found.failures.rows).toEqual([[0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]);
  expect(found.tasks.rows).toEqual([[0, 0, 1, 1, 0]]);
  expect(found.appliances.rows[0]).toEqual([0, 0, 2, 2, 2]);
});
