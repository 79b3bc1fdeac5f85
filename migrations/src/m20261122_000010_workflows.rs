//! Workflows. At most one kill of an appliance and one check of a provider is not final.

crate::change::change! {
    up: [
        "create table workflows (
             id {id},
             kind text not null check (kind in ('deploy', 'kill', 'check_provider')),
             appliance_id bigint references appliances (id),
             provider text not null references providers (key),
             owner_id bigint references users (id),
             priority smallint not null,
             state text not null check (state in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
             error text not null,
             created_at {time} not null,
             finished_at {time},
             check ((kind = 'check_provider') = (appliance_id is null))
         )",
        "create unique index workflows_one_kill on workflows (appliance_id)
             where kind = 'kill' and state in ('pending', 'running')",
        "create unique index workflows_one_check on workflows (provider)
             where kind = 'check_provider' and state in ('pending', 'running')",
        "create index workflows_live on workflows (appliance_id)
             where appliance_id is not null and state in ('pending', 'running')",
    ],
    down: ["drop table workflows"],
}
