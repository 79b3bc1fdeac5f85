// The one stream of events of this page. It resumes after the last event seen, so nothing is missed; while nobody looks it is closed, since
// browsers allow six connections to a host, over all their tabs.
import { type Event, EventService } from "$/gen/sprout/event/v1/event_pb";
import { STREAM, client } from "$/api/clients";
import { reason } from "$/api/errors";
import { session } from "$/api/session.svelte";

/** Called with each event, and with nothing when everything is to be read anew. */
export type Listener = (event: Event | undefined) => void;

const FIRST_WAIT = 200;
const LAST_WAIT = 5_000;
/** A page that is not seen for this long lets go of its stream. */
const HIDDEN = 15_000;
/** A timer that is late by this much: the machine slept, and the connection is likely to be dead without knowing it. */
const SLEPT = 20_000;

class Live {
  /** `paused`: nobody looks. */
  state: "connecting" | "live" | "reconnecting" | "paused" = $state("connecting");
  /** Since when it is not live. */
  lostAt: Date | undefined = $state();

  #events = client(EventService);
  #listeners = new Set<Listener>();
  #sequence: bigint | undefined;
  #abort: AbortController | undefined;
  #wake: (() => void) | undefined;
  #running = false;
  /** Rises with each start: what an earlier one began ends by itself. */
  #round = 0;
  #hide: ReturnType<typeof setTimeout> | undefined;

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins, for whoever is signed in now. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#sequence = undefined;
    this.state = "connecting";
    void this.#run();
  }

  stop(): void {
    this.#running = false;
    this.#abort?.abort();
    this.#wake?.();
  }

  /** Tries at once instead of waiting for the next try. */
  retry(): void {
    this.#wake?.();
  }

  /** The connection may be dead: begins another one. */
  renew(): void {
    this.#abort?.abort();
    this.#wake?.();
  }

  seen(visible: boolean): void {
    clearTimeout(this.#hide);
    if (visible) {
      if (this.state === "paused") {
        this.state = "connecting";
        this.#wake?.();
      }
      return;
    }
    this.#hide = setTimeout(() => {
      this.state = "paused";
      this.#abort?.abort();
    }, HIDDEN);
  }

  async #run(): Promise<void> {
    let wait = FIRST_WAIT;
    const round = ++this.#round;
    while (this.#running && round === this.#round) {
      if (this.state === "paused") {
        await this.#sleep();
        continue;
      }
      this.#abort = new AbortController();
      try {
        let first = true;
        const request = this.#sequence === undefined ? {} : { afterSequence: this.#sequence };
        for await (const message of this.#events.watch(request, { ...STREAM, signal: this.#abort.signal })) {
          this.#sequence = message.sequence;
          wait = FIRST_WAIT;
          if (first) {
            first = false;
            this.state = "live";
            this.lostAt = undefined;
            // What was read before may be older than where the stream starts, or was shown as failed.
            this.#tell(undefined);
          }
          if (message.event) this.#tell(message.event);
        }
      } catch (error) {
        if (reason(error) === "WATCH_TOO_OLD") this.#sequence = undefined;
        else if (reason(error) === "UNAUTHENTICATED" || reason(error) === "NOT_SIGNED_IN") await session.refresh();
      }
      if (!this.#running || round !== this.#round || (this.state as string) === "paused") continue;
      if (this.#abort.signal.aborted) continue;
      this.lostAt ??= new Date();
      this.state = "reconnecting";
      await this.#sleep(wait * (0.7 + Math.random() * 0.6));
      wait = Math.min(wait * 1.8, LAST_WAIT);
    }
  }

  #sleep(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #tell(event: Event | undefined): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

export const live = new Live();

document.addEventListener("visibilitychange", () => live.seen(document.visibilityState === "visible"));
addEventListener("online", () => live.retry());
let last = Date.now();
setInterval(() => {
  if (Date.now() - last > SLEPT && document.visibilityState === "visible") live.renew();
  last = Date.now();
}, 5_000);
