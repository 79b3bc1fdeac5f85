import { expect, test } from "vitest";
import { capital } from "$/api/errors";
import { about, countdown, parseSpan, relative, shortSpan, span, value, word, words } from "$/format";
import { match } from "$/router.svelte";
import { PoolState } from "$/gen/sprout/pool/v1/pool_pb";

test("times are read as sproutctl reads them", () => {
  expect(parseSpan("90s")).toBe(90);
  expect(parseSpan("1h30m")).toBe(5400);
  expect(parseSpan(" 2 d ")).toBe(172_800);
  expect(parseSpan("45")).toBe(2700);
  for (const wrong of ["", "soon", "1x", "h", "-5m", "1.5h"]) expect(parseSpan(wrong), wrong).toBeUndefined();
  for (const secs of [60, 3600, 5400, 86_400, 90_000]) expect(parseSpan(shortSpan(secs))).toBe(secs);
});

test("times are shown in two units, and count down", () => {
  expect(span(0)).toBe("0 s");
  expect(span(0.9)).toBe("0.9 s");
  expect(span(65)).toBe("1 min 5 s");
  expect(span(86_400 + 3600)).toBe("1 d 1 h");
  expect(span(3605)).toBe("1 h");
  expect(about(3500)).toBe("58 min");
  expect(countdown(3599.9)).toBe("59:59");
  expect(countdown(7261)).toBe("2:01:01");
  expect(countdown(-3)).toBe("0:00");
  const now = Date.UTC(2026, 0, 1);
  expect(relative(new Date(now - 200_000), now)).toBe("3 min ago");
  expect(relative(new Date(now + 7_300_000), now)).toBe("in 2 h 1 min");
});

test("states are sproutctl's words, and a state that is not known yet says so", () => {
  expect(word(PoolState, PoolState.READY)).toBe("ready");
  expect(word(PoolState, 99)).toBe("unknown");
  expect(value(PoolState, "ready")).toBe(PoolState.READY);
  expect(value(PoolState, "nonsense")).toBeUndefined();
  expect(words(PoolState)).toEqual(["waiting", "provisioning", "ready", "ending", "ended", "failed"]);
});

test("sentences begin with a capital letter, names stay", () => {
  expect(capital("the server is away")).toBe("The server is away.");
  expect(capital("s_appl_1 is ready")).toBe("s_appl_1 is ready.");
  expect(capital("lab-one works!")).toBe("lab-one works!");
});

test("paths fit patterns", () => {
  expect(match("/pools/:id", "/pools/7")).toEqual({ id: "7" });
  expect(match("/pools/:id", "/pools/7/")).toEqual({ id: "7" });
  expect(match("/groups/:name", "/groups/cfme%2F5.11")).toEqual({ name: "cfme/5.11" });
  expect(match("/groups/:name", "/groups/%")).toBeUndefined();
  expect(match("/pools/:id", "/pools")).toBeUndefined();
  expect(match("/", "/")).toEqual({});
});
