import { expect, test } from "vitest";
import { readWindow, writeWindow } from "$/features/shepherd/shepherd";

test("windows are written as sproutctl writes them", () => {
  for (const text of ["mon-fri@08:00-18:00=5", "sat-sun@00:00-24:00=0", "mon,wed-thu@22:00-06:00=2"]) {
    const window = readWindow(text);
    expect(window && writeWindow(window)).toBe(text);
  }
  expect(readWindow("fri-mon@08:00-09:00=1")?.days).toEqual([1, 5, 6, 7]);
  for (const wrong of ["", "mon", "xyz@08:00-18:00=5", "mon@8-18=5", "mon@08:00-25:00=5"]) expect(readWindow(wrong), wrong).toBeUndefined();
});
