//! Workers and their open sessions.

crate::change::change! {
    up: [
        "create table workers (
             id text primary key not null,
             version text not null,
             drivers text not null,
             slots bigint not null,
             session text not null,
             connected boolean not null,
             last_heard_at {time} not null
         )",
    ],
    down: ["drop table workers"],
}
