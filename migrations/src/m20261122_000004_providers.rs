//! Providers as last configured, and what the last check found. How to reach them is never stored.

crate::change::change! {
    up: [
        "create table providers (
             key text primary key not null,
             name text not null,
             driver text not null,
             working boolean not null,
             disabled boolean not null,
             status text not null,
             checked_at {time},
             provisioning_limit bigint not null,
             appliance_limit bigint
         )",
    ],
    down: ["drop table providers"],
}
