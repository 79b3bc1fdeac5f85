// What can be done to workers, and how one stands.
import { ask } from "$/ask.svelte";
import { client } from "$/api/clients";
import type { Item } from "$/components/Menu.svelte";
import { session } from "$/api/session.svelte";
import { type Event, EventKind } from "$/gen/sprout/event/v1/event_pb";
import { type Worker, WorkerService } from "$/gen/sprout/worker/v1/worker_pb";
import { act } from "$/toasts.svelte";

export const workers = client(WorkerService);

/** Events after which workers stand otherwise, or run something else. */
export const concerns = (event: Event): boolean => [EventKind.WORKER_STATE, EventKind.STEP_STARTED, EventKind.STEP_DONE, EventKind.STEP_FAILED].includes(event.kind);

/** As sproutctl says it. */
export function standing(worker: Worker): string {
  if (worker.drained) return "drained";
  if (worker.leaving) return "leaving";
  if (worker.connected) return "connected";
  return worker.lastHeardAt ? "silent" : "joined";
}

export function menu(worker: Worker): Item[] {
  const { id } = worker;
  const items: Item[] = [
    worker.drained
      ? { label: "Undrain", icon: "start", run: () => void act(() => workers.undrainWorker({ id }), `${id} is given tasks again.`) }
      : { label: "Drain", icon: "suspend", run: () => void act(() => workers.drainWorker({ id }), `${id} is given nothing new.`) },
  ];
  if (session.superuser) {
    items.push({
      label: "Remove",
      icon: "kill",
      danger: true,
      part: true,
      run: () =>
        ask({
          title: `Remove worker ${id}?`,
          text: "Only for machines that are gone for good: its session ends, its credentials are void, its tasks are given to others.",
          action: "Remove the worker",
          danger: true,
          type: id,
          run: () => workers.removeWorker({ id }),
        }),
    });
  }
  return items;
}
