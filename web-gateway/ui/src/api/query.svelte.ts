// Something read from the server that stays right: it is read again when an event says that it changed, when what is asked for changes, and when
// the stream of events is back. Meanwhile the last answer stays.
import { untrack } from "svelte";
import type { Event } from "$/gen/sprout/event/v1/event_pb";
import { aborted } from "$/api/errors";
import { live } from "$/api/live.svelte";

interface Options {
  /** Whether an event may have changed the answer. Default: none does. */
  on?: (event: Event) => boolean;
  /** At least this long (ms) from one reading to the next, where there are many events and much is read. */
  gap?: number;
  /** Read again this often (ms), for what there are no events of. */
  every?: number;
}

/** At least this long from one reading to the next, however many events there are. */
const GAP = 200;

export class Query<T> {
  value: T | undefined = $state.raw();
  error: unknown = $state.raw();
  /** What is shown is the answer to an earlier question. */
  stale = $state(false);

  #load: (signal: AbortSignal) => Promise<T>;
  #abort: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #startedAt = 0;
  #again = false;

  constructor(load: (signal: AbortSignal) => Promise<T>, private gap = GAP) {
    this.#load = load;
  }

  /** Nothing is known yet, and nothing went wrong. */
  get loading(): boolean {
    return this.value === undefined && this.error === undefined;
  }

  /** Another question: forgets what is under way. */
  ask(): void {
    this.#abort?.abort();
    this.#abort = undefined;
    this.#again = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.stale = untrack(() => this.value) !== undefined;
    void this.#read();
  }

  /** The same question again, soon. What was begun before may not have seen what happened, so it is followed by another. */
  refresh(): void {
    if (this.#abort) {
      this.#again = true;
      return;
    }
    this.#timer ??= setTimeout(() => void this.#read(), Math.max(0, this.#startedAt + this.gap - Date.now()));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#abort?.abort();
    this.#abort = undefined;
  }

  async #read(): Promise<void> {
    this.#timer = undefined;
    this.#startedAt = Date.now();
    const abort = (this.#abort = new AbortController());
    try {
      const value = await this.#load(abort.signal);
      if (abort.signal.aborted) return;
      this.value = value;
      this.error = undefined;
      this.stale = false;
    } catch (error) {
      if (abort.signal.aborted || aborted(error)) return;
      this.error = error;
      this.stale = false;
    } finally {
      if (this.#abort === abort) {
        this.#abort = undefined;
        if (this.#again) {
          this.#again = false;
          this.refresh();
        }
      }
    }
  }
}

/** A query for as long as the component lives. What `load` reads of the state before its first `await` is the question. */
export function query<T>(load: (signal: AbortSignal) => Promise<T>, options: Options = {}): Query<T> {
  const found = new Query<T>(load, options.gap);
  // `load` is called in here, so that another question is asked when what it depends on has changed.
  $effect(() => found.ask());
  $effect(() => {
    const leave = live.listen((event) => {
      if (!event || options.on?.(event)) found.refresh();
    });
    const timer = options.every
      ? setInterval(() => document.visibilityState === "visible" && found.refresh(), options.every)
      : undefined;
    return () => {
      leave();
      clearInterval(timer);
      found.stop();
    };
  });
  return found;
}
