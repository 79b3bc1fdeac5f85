// Numbers over time, made of the event log: what was in which state when, how long requests took, what was served from what is warm, what failed.
import { date } from "$/format";
import { type Event, EventKind } from "$/gen/sprout/event/v1/event_pb";

/** Times in seconds, as uPlot takes them, and one row of numbers for each line. */
export interface Series {
  times: number[];
  rows: (number | null)[][];
}

export interface History {
  /** From where on the events are all there. */
  from: number;
  pools: Series;
  appliances: Series;
  tasks: Series;
  timeToReady: Series;
  requests: Series;
  failures: Series;
}

export const APPLIANCE_LINES = ["deploying", "ready", "off or suspended", "being killed"] as const;
const line = (state: string | undefined): number => {
  switch (state) {
    case "requested":
    case "cloning":
    case "starting":
    case "preparing":
      return 0;
    case "ready":
      return 1;
    case "off":
    case "suspended":
    case "stopping":
    case "suspending":
      return 2;
    case "killing":
    case "failed":
    case "orphaned":
      return 3;
    default:
      return -1;
  }
};

const at = (event: Event): number => (date(event.happenedAt)?.getTime() ?? 0) / 1000;

/** Counts how many subjects are in which line at the end of each step of time. `now` is the line of what there is now. */
function levels(changes: { at: number; id: string; line: number }[], now: Map<string, number>, times: number[], lines: number): (number | null)[][] {
  const state = new Map<string, number>();
  // What has no event in the window was then what it is now.
  const seen = new Set(changes.map((one) => one.id));
  for (const [id, where] of now) if (!seen.has(id)) state.set(id, where);
  const counts = new Array<number>(lines).fill(0);
  for (const where of state.values()) if (where >= 0) counts[where] = (counts[where] ?? 0) + 1;
  const rows: (number | null)[][] = Array.from({ length: lines }, () => []);
  let next = 0;
  for (const time of times) {
    for (let one = changes[next]; one && one.at <= time; one = changes[++next]) {
      const before = state.get(one.id) ?? -1;
      if (before >= 0) counts[before] = (counts[before] ?? 0) - 1;
      if (one.line >= 0) counts[one.line] = (counts[one.line] ?? 0) + 1;
      state.set(one.id, one.line);
    }
    rows.forEach((row, index) => row.push(counts[index] ?? 0));
  }
  return rows;
}

/** Sums what happened in each step of time. */
function sums(happened: { at: number; line: number }[], times: number[], step: number, lines: number): (number | null)[][] {
  const rows: (number | null)[][] = Array.from({ length: lines }, () => times.map(() => 0));
  const first = times[0] ?? 0;
  for (const one of happened) {
    const index = Math.ceil((one.at - first) / step);
    const row = rows[one.line];
    if (row && index >= 0 && index < times.length) row[index] = (row[index] ?? 0) + 1;
  }
  return rows;
}

/** `events` in any order, all there are from `from` to `to` (seconds). */
export function history(events: Event[], from: number, to: number, now: { pools: Map<string, number>; appliances: Map<string, number> }, steps = 120): History {
  const sorted = events.filter((one) => at(one) >= from).sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
  const step = Math.max(1, (to - from) / steps);
  const times = Array.from({ length: steps + 1 }, (_, index) => from + index * step);

  const pools: { at: number; id: string; line: number }[] = [];
  const appliances: { at: number; id: string; line: number }[] = [];
  const running: { at: number; id: string; line: number }[] = [];
  const requests: { at: number; line: number }[] = [];
  const failures: { at: number; line: number }[] = [];
  const took: { at: number; seconds: number }[] = [];
  const requested = new Map<bigint, number>();
  const POOL: Record<string, number> = { waiting: 0, provisioning: 1 };
  for (const event of sorted) {
    const when = at(event);
    switch (event.kind) {
      case EventKind.POOL_REQUESTED:
        if (event.poolId === undefined) break;
        requested.set(event.poolId, when);
        pools.push({ at: when, id: String(event.poolId), line: POOL[event.state ?? ""] ?? 1 });
        break;
      case EventKind.POOL_STATE: {
        if (event.poolId === undefined) break;
        pools.push({ at: when, id: String(event.poolId), line: POOL[event.state ?? ""] ?? -1 });
        const since = requested.get(event.poolId);
        if (event.state === "ready" && since !== undefined) {
          took.push({ at: when, seconds: when - since });
          requested.delete(event.poolId);
        }
        if (event.state === "failed") failures.push({ at: when, line: 1 });
        break;
      }
      case EventKind.APPLIANCE_CREATED:
        if (event.applianceId !== undefined) appliances.push({ at: when, id: String(event.applianceId), line: 0 });
        if (event.poolId !== undefined) requests.push({ at: when, line: 1 });
        break;
      case EventKind.APPLIANCE_STATE:
        if (event.applianceId !== undefined) appliances.push({ at: when, id: String(event.applianceId), line: line(event.state) });
        break;
      case EventKind.APPLIANCE_GRANTED:
        requests.push({ at: when, line: 0 });
        break;
      case EventKind.STEP_STARTED:
        running.push({ at: when, id: `${event.workflowId}`, line: 0 });
        break;
      case EventKind.STEP_DONE:
      case EventKind.PROVIDER_CHECKED:
      case EventKind.WORKFLOW_ENDED:
        running.push({ at: when, id: `${event.workflowId}`, line: -1 });
        break;
      case EventKind.STEP_FAILED:
        running.push({ at: when, id: `${event.workflowId}`, line: -1 });
        failures.push({ at: when, line: 0 });
        break;
      default:
    }
  }
  return {
    from,
    pools: { times, rows: levels(pools, now.pools, times, 2) },
    appliances: { times, rows: levels(appliances, now.appliances, times, APPLIANCE_LINES.length) },
    tasks: { times, rows: levels(running, new Map(), times, 1) },
    timeToReady: { times: took.map((one) => one.at), rows: [took.map((one) => one.seconds)] },
    requests: { times, rows: sums(requests, times, step, 2) },
    failures: { times, rows: sums(failures, times, step, 2) },
  };
}

export { line as applianceLine };
