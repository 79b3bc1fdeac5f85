//! Who leads: one row for each thing that one server at a time does. Its epoch rises whenever the holder changes.

crate::change::change! {
    up: [
        "create table leadership (
             name text primary key not null,
             holder text not null,
             epoch bigint not null,
             held_until {time} not null
         )",
    ],
    down: ["drop table leadership"],
}
