//! Workflows. Of those that have not ended (`finished_at is null`), no two have the same `dedup_key`. What has not ended is told by `finished_at`
//! rather than by `state`, so that beginning one touches no index.

crate::change::change! {
    up: [
        "create table workflows (
             id {id},
             kind text not null,
             appliance_id bigint references appliances (id),
             provider text references providers (key),
             template_id bigint references templates (id),
             machine text,
             owner_id bigint references users (id),
             lane smallint not null check (lane between 0 and 5),
             priority smallint not null,
             turn bigint not null,
             dedup_key text,
             parent_id bigint references workflows (id),
             child_count bigint not null,
             open_children bigint not null check (open_children between 0 and child_count),
             failed_children bigint not null check (failed_children between 0 and child_count - open_children),
             state text not null check (state in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
             error text not null,
             created_at {time} not null,
             finished_at {time},
             check (appliance_id is null or provider is not null),
             check ((finished_at is null) = (state in ('pending', 'running')))
         )",
        "create unique index workflows_dedup on workflows (dedup_key) where dedup_key is not null and finished_at is null",
        "create index workflows_of_appliance on workflows (appliance_id, id) where appliance_id is not null",
        "create index workflows_of_parent on workflows (parent_id, id) where parent_id is not null",
        "create index workflows_turns on workflows (lane, priority, provider, turn) where finished_at is null",
        "create index workflows_turns_of_owner on workflows (owner_id, lane, priority, provider, turn)
             where owner_id is not null and finished_at is null",
        "create index workflows_finished on workflows (finished_at) where finished_at is not null",
    ],
    down: ["drop table workflows"],
}
