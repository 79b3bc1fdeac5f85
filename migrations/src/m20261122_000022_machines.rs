//! Machines: what the last refreshes found on providers, ours or not, and for how long what is not known has been seen.

crate::change::change! {
    up: [
        "create table machines (
             provider text not null references providers (key) on delete cascade,
             name text not null,
             power text not null,
             kind text not null check (kind in ('tracked', 'untracked', 'leaked')),
             appliance_id bigint,
             tag_epoch bigint,
             sightings bigint not null,
             first_seen_at {time} not null,
             last_seen_at {time} not null,
             primary key (provider, name)
         )",
        "create index machines_leaked on machines (provider) where kind <> 'tracked'",
    ],
    down: ["drop table machines"],
}
