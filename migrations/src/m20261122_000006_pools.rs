//! Pools: requests for appliances, one per owner and request id for good.

crate::change::change! {
    up: [
        "create table pools (
             id {id},
             request_id text not null,
             fingerprint text not null,
             owner_id bigint not null references users (id),
             group_name text not null,
             version text not null,
             build_date date not null,
             provider text references providers (key),
             count bigint not null,
             lease_us bigint not null,
             description text not null,
             memory_mib bigint,
             cpus bigint,
             state text not null check (state in ('waiting', 'provisioning', 'ready', 'ending', 'ended', 'failed')),
             status text not null,
             failure_count bigint not null,
             created_at {time} not null,
             fulfilled_at {time},
             ended_at {time},
             unique (owner_id, request_id)
         )",
        "create index pools_live on pools (state, id) where state not in ('ended', 'failed')",
    ],
    down: ["drop table pools"],
}
