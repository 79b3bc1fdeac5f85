//! Runs of jobs. A due time is there once, so whoever inserts it runs the job, and nobody else ever does for that time.

crate::change::change! {
    up: [
        "create table job_runs (
             id {id},
             job text not null references jobs (name) on delete cascade,
             due_at {time} not null,
             epoch bigint not null,
             server text not null,
             state text not null check (state in ('running', 'done', 'failed', 'lost')),
             message text not null,
             started_at {time} not null,
             finished_at {time},
             unique (job, due_at),
             check ((state = 'running') = (finished_at is null))
         )",
        "create index job_runs_of_job on job_runs (job, id)",
        "create index job_runs_running on job_runs (epoch) where state = 'running'",
    ],
    down: ["drop table job_runs"],
}
