//! Jobs: the periodical activities of the scheduler, and when each is due next.

crate::change::change! {
    up: [
        "create table jobs (
             name text primary key not null,
             period_us bigint not null check (period_us > 0),
             paused boolean not null,
             due_at {time} not null,
             last_due_at {time}
         )",
    ],
    down: ["drop table jobs"],
}
