// What can be done to jobs.
import { client } from "$/api/clients";
import type { Item } from "$/components/Menu.svelte";
import { word } from "$/format";
import { type Job, JobRunState, JobService } from "$/gen/sprout/job/v1/job_pb";
import { act } from "$/toasts.svelte";

export const jobs = client(JobService);

export const state = (run: Job["lastRun"]): string => (run ? word(JobRunState, run.state) : "");

export function menu(job: Job, done: () => void): Item[] {
  const { name } = job;
  return [
    job.paused
      ? { label: "Resume", icon: "start", run: () => void act(() => jobs.resumeJob({ name }), `${name} runs again when it is due.`).then(done) }
      : { label: "Pause", icon: "suspend", run: () => void act(() => jobs.pauseJob({ name }), `${name} runs only by hand.`).then(done) },
  ];
}
