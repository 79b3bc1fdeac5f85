// Events, by what they mean to people.
import { client } from "$/api/clients";
import { type Event, EventKind, EventService } from "$/gen/sprout/event/v1/event_pb";
import type { Tone } from "$/components/Badge.svelte";

export const events = client(EventService);

/** How it is marked: what went wrong stands out. */
export function tone(event: Event): Tone {
  switch (event.kind) {
    case EventKind.STEP_FAILED:
    case EventKind.LEAK:
      return "bad";
    case EventKind.LEASE_EXPIRED:
    case EventKind.LEASE_REMINDER:
      return "warn";
    case EventKind.APPLIANCE_GRANTED:
    case EventKind.POOL_REQUESTED:
      return "good";
    default:
  }
  switch (event.state) {
    case "failed":
    case "orphaned":
    case "failing":
    case "open":
    case "quarantined":
      return "bad";
    case "ready":
    case "working":
    case "closed":
    case "succeeded":
      return "good";
    case undefined:
      return "rest";
    default:
      return "busy";
  }
}
