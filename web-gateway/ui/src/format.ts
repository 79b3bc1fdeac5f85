// Times, durations, sizes and states, as people read them; states are the words that sproutctl uses.
import { type Duration, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

/** The name of an enum's value: `POOL_STATE_READY` is "ready". */
export function word(names: object, value: number): string {
  const name = (names as Record<number, string>)[value];
  if (name === undefined) return "unknown";
  return name === "UNSPECIFIED" ? "" : name.toLowerCase().replaceAll("_", " ");
}

/** The other way round: "ready" is 3, if the enum has it. */
export function value<T extends number>(names: object, text: string | undefined): T | undefined {
  if (!text) return undefined;
  const found = (names as Record<string, number>)[text.toUpperCase().replaceAll(" ", "_")];
  return typeof found === "number" ? (found as T) : undefined;
}

/** All words of an enum. */
export function words(names: object): string[] {
  return Object.values(names)
    .filter((one): one is number => typeof one === "number" && one !== 0)
    .map((one) => word(names, one));
}

export const date = (at: Timestamp | undefined): Date | undefined => (at ? timestampDate(at) : undefined);
export const seconds = (time: Duration | undefined): number => (time ? Number(time.seconds) + time.nanos / 1e9 : 0);
export const duration = (secs: number): { seconds: bigint; nanos: number } => ({ seconds: BigInt(Math.round(secs)), nanos: 0 });

const UNITS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

/** Two units at most: "2 h 5 min". Below ten seconds with a tenth. */
export function span(secs: number): string {
  if (secs < 0) return `−${span(-secs)}`;
  if (secs > 0 && secs < 9.95 && Math.abs(secs - Math.round(secs)) > 0.05) return `${secs.toFixed(1)} s`;
  let rest = Math.round(secs);
  const parts: string[] = [];
  for (const [size, unit] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    rest -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0 s";
}

/** Rounded as an estimate deserves: above two minutes to whole ones. */
export const about = (secs: number): string => span(secs >= 120 ? Math.round(secs / 60) * 60 : Math.max(1, Math.round(secs)));

/** A time to come, ticking: "1:59:30", "2 d 3 h". */
export function countdown(secs: number): string {
  if (secs >= 2 * 86_400) return span(secs);
  const whole = Math.max(0, Math.floor(secs));
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Reads what sproutctl reads: 90s, 15m, 2h, 1h30m, 2d; a bare number is minutes. */
export function parseSpan(text: string): number | undefined {
  const whole = text.trim().toLowerCase().replaceAll(" ", "");
  if (/^\d+$/.test(whole)) return Number(whole) * 60;
  if (!/^(\d+(d|h|min|m|s))+$/.test(whole)) return undefined;
  const sizes: Record<string, number> = { d: 86_400, h: 3_600, min: 60, m: 60, s: 1 };
  let sum = 0;
  for (const [, count, unit] of whole.matchAll(/(\d+)(d|h|min|m|s)/g)) sum += Number(count) * (sizes[unit ?? ""] ?? 0);
  return sum;
}

/** As `parseSpan` reads it. */
export function shortSpan(secs: number): string {
  return span(secs).replaceAll(" min", "m").replaceAll(/[ .]/g, "").replace(/^0s$/, "0m");
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** The time of day, with the day where that is not today. */
export function moment(at: Date, now = new Date()): string {
  return at.toDateString() === now.toDateString() ? clock.format(at) : day.format(at);
}
export const exact = (at: Date): string => full.format(at);

/** "3 min ago", "in 2 h". */
export function relative(at: Date, now: number): string {
  const secs = (at.getTime() - now) / 1000;
  if (Math.abs(secs) < 5) return "now";
  const about = span(Math.abs(secs) >= 60 ? Math.floor(Math.abs(secs) / 60) * 60 : Math.floor(Math.abs(secs)));
  const short = Math.abs(secs) >= 3600 ? about : (about.split(" ").slice(0, 2).join(" "));
  return secs < 0 ? `${short} ago` : `in ${short}`;
}

export function mib(size: number | bigint): string {
  const n = Number(size);
  return n >= 1024 ? `${Number((n / 1024).toFixed(1))} GiB` : `${n} MiB`;
}

export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
