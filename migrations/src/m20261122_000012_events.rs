//! Events, which outlive what they are about and therefore refer to nothing.

crate::change::change! {
    up: [
        "create table events (
             sequence {id},
             happened_at {time} not null,
             kind text not null,
             pool_id bigint,
             appliance_id bigint,
             provider text,
             workflow_id bigint,
             user_name text,
             state text,
             message text not null
         )",
        "create index events_of_pool on events (pool_id, sequence) where pool_id is not null",
        "create index events_of_provider on events (provider, sequence) where provider is not null and appliance_id is null",
        "create index events_of_appliance on events (appliance_id, sequence) where appliance_id is not null",
    ],
    down: ["drop table events"],
}
