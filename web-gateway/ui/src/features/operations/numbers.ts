// Numbers over time as charts draw them: what nobody counted is a gap, and what is now comes last.
import { date, seconds } from "$/format";
import { ApplianceState } from "$/gen/sprout/appliance/v1/appliance_pb";
import type { Flows, Levels, Point } from "$/gen/sprout/stats/v1/stats_pb";

/** Times in seconds, as uPlot takes them, and one row of numbers for each line. */
export interface Series {
  times: number[];
  rows: (number | null)[][];
}
/** How things stand at this moment. */
export interface Now {
  at: number;
  waitingPools: number;
  waitingSeats: number;
  running: number;
}

const S = ApplianceState;
const DEPLOYING = [S.REQUESTED, S.CLONING, S.STARTING, S.PREPARING];
const RESTING = [S.OFF, S.SUSPENDED, S.STOPPING, S.SUSPENDING];
const LEAVING = [S.KILLING, S.FAILED, S.ORPHANED];
export const APPLIANCE_LINES = [
  { label: "deploying", color: "busy" },
  { label: "lent", color: "good" },
  { label: "warm", color: "warn" },
  { label: "off or suspended", color: "violet" },
  { label: "failed, or being killed", color: "bad" },
];

function states(levels: Levels): number[] {
  const of = (wanted: ApplianceState[]) => levels.appliances.filter(({ state }) => wanted.includes(state)).reduce((sum, one) => sum + Number(one.count), 0);
  const warm = Number(levels.warm);
  return [of(DEPLOYING), of([S.READY]) - warm, warm, of(RESTING), of(LEAVING)];
}

const at = (point: Point): number => (date(point.at)?.getTime() ?? 0) / 1000;
const rows = (points: Point[], lines: ((point: Point) => number | null)[]): (number | null)[][] => lines.map((line) => points.map(line));
const flow = (of: (flows: Flows) => bigint) => (point: Point) => (point.flows ? Number(of(point.flows)) : null);
const took = (of: (flows: Flows) => Parameters<typeof seconds>[0]) => (point: Point) => {
  const time = point.flows && of(point.flows);
  return time ? seconds(time) : null;
};

/** The rows of all charts. */
export function series(points: Point[], now?: Now): Record<"waiting" | "timeToReady" | "appliances" | "served" | "failures" | "running", Series> {
  const times = points.map(at);
  const plain = (...lines: ((point: Point) => number | null)[]): Series => ({ times, rows: rows(points, lines) });
  const live = (found: Series, last: number[]): Series =>
    now && now.at > (times.at(-1) ?? 0) ? { times: [...times, now.at], rows: found.rows.map((row, index) => [...row, last[index] ?? null]) } : found;
  return {
    waiting: live(plain((one) => (one.peaks ? Number(one.peaks.waitingPools) : null), (one) => (one.peaks ? Number(one.peaks.waitingSeats) : null)), [now?.waitingPools ?? 0, now?.waitingSeats ?? 0]),
    timeToReady: plain(took((flows) => flows.waitP50), took((flows) => flows.waitP95)),
    appliances: plain(...APPLIANCE_LINES.map((_, index) => (one: Point) => (one.levels ? (states(one.levels)[index] ?? 0) : null))),
    served: plain(flow((one) => one.grantedWarm), flow((one) => one.deployed)),
    failures: plain(flow((one) => one.tasksFailed), flow((one) => one.appliancesFailed), flow((one) => one.poolsFailed)),
    running: live(plain((one) => (one.peaks ? Number(one.peaks.runningTasks) : null)), [now?.running ?? 0]),
  };
}

/** How many of 100 appliances were served from what was warm; nothing where none was served. */
export function servedWarm(points: Point[]): number | undefined {
  const sum = (of: (flows: Flows) => bigint) => points.reduce((total, { flows }) => total + (flows ? Number(of(flows)) : 0), 0);
  const warm = sum((one) => one.grantedWarm);
  const all = warm + sum((one) => one.deployed);
  return all === 0 ? undefined : Math.round((warm / all) * 100);
}
