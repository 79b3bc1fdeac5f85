import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { servedWarm, series } from "$/features/operations/numbers";
import { ApplianceState } from "$/gen/sprout/appliance/v1/appliance_pb";
import { PointSchema } from "$/gen/sprout/stats/v1/stats_pb";

const point = (minute: number, rest: object) => create(PointSchema, { at: { seconds: BigInt(minute * 60), nanos: 0 }, ...rest });
const points = [
  point(1, { levels: { waitingPools: 1n, waitingSeats: 3n, warm: 2n, appliances: [{ state: ApplianceState.READY, count: 5n }, { state: ApplianceState.CLONING, count: 1n }] }, peaks: { waitingPools: 2n, waitingSeats: 4n, runningTasks: 7n }, flows: { grantedWarm: 3n, deployed: 1n, waitP50: { seconds: 2n, nanos: 500_000_000 } } }),
  point(2, {}),
  point(3, { levels: {}, peaks: {}, flows: {} }),
];

test("what nobody counted is a gap, and nothing is nought", () => {
  const { waiting, appliances, served, timeToReady } = series(points);
  expect(waiting).toEqual({ times: [60, 120, 180], rows: [[2, null, 0], [4, null, 0]] });
  expect(appliances.rows).toEqual([[1, null, 0], [3, null, 0], [2, null, 0], [0, null, 0], [0, null, 0]]);
  expect(served.rows).toEqual([[3, null, 0], [1, null, 0]]);
  expect(timeToReady.rows[0]).toEqual([2.5, null, null]);
});

test("what is now comes last, where it is known", () => {
  const { waiting, running, served } = series(points, { at: 200, waitingPools: 5, waitingSeats: 9, running: 2 });
  expect(waiting).toEqual({ times: [60, 120, 180, 200], rows: [[2, null, 0, 5], [4, null, 0, 9]] });
  expect(running.rows).toEqual([[7, null, 0, 2]]);
  expect(served.times).toEqual([60, 120, 180]);
});

test("the share of warm ones is that of all that were served", () => {
  expect(servedWarm(points)).toBe(75);
  expect(servedWarm([])).toBeUndefined();
});
