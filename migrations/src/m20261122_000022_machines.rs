//! Machines: what the last refresh found on each provider, ours or not. One that it did not find has no row. What is the same as before is not written
//! again: when all of it was last seen is the provider's `refreshed_at`, and sightings are counted only as far as they matter.

crate::change::change! {
    up: [
        "create table machines (
             provider text not null references providers (key) on delete cascade,
             name text not null,
             power text not null,
             kind text not null check (kind in ('tracked', 'untracked', 'foreign', 'leaked', 'lost', 'stray')),
             appliance_id bigint,
             sightings bigint not null,
             first_seen_at {time} not null,
             since {time} not null,
             approved boolean not null default false,
             problem text not null default '',
             primary key (provider, name)
         )",
        "create index machines_leftover on machines (provider) where kind in ('untracked', 'leaked', 'lost', 'stray')",
    ],
    down: ["drop table machines"],
}
