import { expect, test, vi } from "vitest";
import { Query } from "$/api/query.svelte";

/** A reading that ends when it is told to. */
function pending<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

test("an event during a reading is followed by another one: what was begun before may not have seen it", async () => {
  vi.useFakeTimers();
  const first = pending<number>();
  const load = vi.fn().mockReturnValueOnce(first.promise).mockResolvedValue(2);
  const found = new Query<number>(load);
  found.ask();
  expect(found.loading).toBe(true);
  found.refresh();
  found.refresh();
  expect(load).toHaveBeenCalledTimes(1);
  first.resolve(1);
  await vi.runAllTimersAsync();
  expect(load).toHaveBeenCalledTimes(2);
  expect(found.value).toBe(2);
  vi.useRealTimers();
});

test("a failure keeps the last answer, and another question forgets the one under way", async () => {
  const slow = pending<string>();
  const load = vi.fn().mockResolvedValueOnce("old").mockRejectedValueOnce(new Error("away")).mockReturnValueOnce(slow.promise).mockResolvedValueOnce("new");
  const found = new Query<string>(load);
  found.ask();
  await vi.waitFor(() => expect(found.value).toBe("old"));
  found.ask();
  await vi.waitFor(() => expect(found.error).toBeInstanceOf(Error));
  expect(found.value).toBe("old");
  found.ask();
  expect(found.stale).toBe(true);
  found.ask();
  slow.resolve("of the question before");
  await vi.waitFor(() => expect(found.value).toBe("new"));
  expect(found.error).toBeUndefined();
  expect(found.stale).toBe(false);
});
