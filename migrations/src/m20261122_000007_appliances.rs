//! Appliances, with one partial index for each question that is asked often.

crate::change::change! {
    up: [
        "create table appliances (
             id {id},
             name text not null,
             state text not null check (state in ('requested', 'cloning', 'starting', 'preparing', 'ready', 'stopping', 'off',
                                                  'suspending', 'suspended', 'killing', 'gone', 'failed', 'orphaned')),
             power text not null check (power in ('unknown', 'on', 'off', 'suspended', 'changing', 'absent')),
             provider text not null references providers (key),
             group_name text not null,
             template_id bigint not null references templates (id),
             template text not null,
             version text not null,
             build_date date not null,
             pool_id bigint references pools (id),
             address text,
             provider_ref text,
             clone_unconfirmed boolean not null,
             status text not null,
             status_changed_at {time} not null,
             memory_mib bigint,
             cpus bigint,
             created_at {time} not null,
             ready_at {time},
             proven_at {time},
             failed_at {time},
             gone_at {time},
             leased_at {time},
             leased_until {time},
             unique (name, provider)
         )",
        "create index appliances_grantable on appliances (template_id, ready_at, id)
             where state = 'ready' and pool_id is null and memory_mib is null and cpus is null",
        "create index appliances_warm on appliances (template_id)
             where pool_id is null and state in ('requested', 'cloning', 'starting', 'preparing', 'ready')",
        "create index appliances_warm_failed on appliances (template_id, failed_at) where pool_id is null and failed_at is not null",
        "create index appliances_leased on appliances (leased_until, id)
             where leased_until is not null and state not in ('killing', 'failed', 'gone')",
        "create index appliances_provisioning on appliances (provider) where state in ('cloning', 'starting', 'preparing')",
        "create index appliances_requested on appliances (provider) where state = 'requested'",
        "create index appliances_there on appliances (provider) where state <> 'gone'",
        "create index appliances_of_pool on appliances (pool_id, id) where pool_id is not null",
        "create index appliances_at_address on appliances (address) where address is not null and state <> 'gone'",
    ],
    down: ["drop table appliances"],
}
