// How shepherds are written and read by people.
import type { Window } from "$/gen/sprout/shepherd/v1/shepherd_pb";
import { client } from "$/api/clients";
import { ShepherdService } from "$/gen/sprout/shepherd/v1/shepherd_pb";

export const shepherds = client(ShepherdService);

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const two = (n: number) => String(n).padStart(2, "0");
const at = (minute: number) => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;

/** As sproutctl writes it: `mon-fri@08:00-18:00=5`, in UTC. */
export function writeWindow(window: Pick<Window, "days" | "fromMinute" | "toMinute" | "min">): string {
  const days = [...window.days].sort((a, b) => a - b);
  const runs: string[] = [];
  for (let i = 0; i < days.length; ) {
    let j = i;
    while (j + 1 < days.length && (days[j + 1] ?? 0) === (days[j] ?? 0) + 1) j += 1;
    const [first, last] = [DAYS[(days[i] ?? 1) - 1] ?? "", DAYS[(days[j] ?? 1) - 1] ?? ""];
    runs.push(i === j ? first : `${first}-${last}`);
    i = j + 1;
  }
  return `${runs.join(",")}@${at(window.fromMinute)}-${at(window.toMinute)}=${window.min}`;
}

/** The other way round; nothing where it is not written so. */
export function readWindow(text: string): { days: number[]; fromMinute: number; toMinute: number; min: number } | undefined {
  const found = /^([a-z,-]+)@(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})=(\d+)$/.exec(text.trim().toLowerCase());
  if (!found) return undefined;
  const days = new Set<number>();
  for (const part of (found[1] ?? "").split(",")) {
    const [first, last = first] = part.split("-").map((day) => DAYS.indexOf(day) + 1);
    if (!first || !last) return undefined;
    for (let day = first; ; day = (day % 7) + 1) {
      days.add(day);
      if (day === last) break;
    }
  }
  const minute = (hours: number, minutes: number) => Number(found[hours]) * 60 + Number(found[minutes]);
  const [fromMinute, toMinute] = [minute(2, 3), minute(4, 5)];
  if (fromMinute > 1440 || toMinute > 1440) return undefined;
  return { days: [...days].sort((a, b) => a - b), fromMinute, toMinute, min: Number(found[6]) };
}
