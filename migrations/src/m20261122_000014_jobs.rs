//! Jobs: the periodical activities of the scheduler, and when each is due next. One that was asked for runs also when it is paused.

crate::change::change! {
    up: [
        "create table jobs (
             name text primary key not null,
             description text not null default '',
             period_us bigint not null check (period_us > 0),
             paused boolean not null,
             asked boolean not null default false,
             due_at {time} not null,
             last_due_at {time}
         )",
    ],
    down: ["drop table jobs"],
}
