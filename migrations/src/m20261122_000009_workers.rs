//! Workers and their open sessions. Nothing refers to these rows: tasks keep the name of who had them last, also after it was removed.
//! Room of lanes ("1:4,2:8", by number of the lane) and labels ("key=value" per line) are only read and written whole.

crate::change::change! {
    up: [
        "create table workers (
             id text primary key not null,
             version text not null,
             drivers text not null,
             slots bigint not null,
             lane_slots text not null,
             labels text not null,
             session text not null,
             connected boolean not null,
             drained boolean not null,
             leaving boolean not null,
             last_heard_at {time} not null
         )",
    ],
    down: ["drop table workers"],
}
