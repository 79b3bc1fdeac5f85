//! Tasks: the queue. A first clone waits for a slot, so the queue of all other tasks is not read past those. `tasks_beginning` has those whose
//! workflow could begin at once when it was made and has not; `tasks_later` those that once had to wait for a time, which are few. The worker
//! is kept as who had it last, also when nothing else is known of that one any more.

crate::change::change! {
    up: [
        "create table tasks (
             id {id},
             workflow_id bigint not null references workflows (id),
             workflow text not null,
             appliance_id bigint references appliances (id),
             provider text not null references providers (key),
             step text not null,
             position bigint not null,
             lane smallint not null check (lane between 0 and 5),
             priority smallint not null,
             turn bigint not null,
             state text not null check (state in ('blocked', 'ready', 'running', 'retrying', 'done', 'failed', 'cancelled')),
             attempt bigint not null,
             epoch bigint not null,
             worker text,
             cancel_requested boolean not null,
             stalled boolean not null default false,
             stop_asked_at {time},
             due_at {time} not null,
             status text not null default '',
             error text not null,
             created_at {time} not null,
             started_at {time},
             progress_at {time},
             silent_until {time},
             finished_at {time},
             unique (workflow_id, position),
             check (state <> 'running' or (worker is not null and silent_until is not null)),
             check ((finished_at is not null) = (state in ('done', 'failed', 'cancelled')))
         )",
        "create index tasks_due on tasks (lane, priority, turn, id)
             where state in ('ready', 'retrying') and (step <> 'clone' or epoch > 0)",
        "create index tasks_first_clones on tasks (provider, priority, turn, id)
             where state in ('ready', 'retrying') and step = 'clone' and epoch = 0",
        "create index tasks_beginning on tasks (lane, priority, provider, turn)
             where state = 'ready' and epoch = 0 and due_at = created_at",
        "create index tasks_later on tasks (due_at) where state in ('ready', 'retrying') and due_at > created_at",
        "create index tasks_of_worker on tasks (worker) where state = 'running'",
        "create index tasks_silent on tasks (silent_until) where state = 'running' and stop_asked_at is null",
        "create index tasks_stopping on tasks (stop_asked_at) where state = 'running' and stop_asked_at is not null",
        "create index tasks_unfinished_of_appliance on tasks (appliance_id)
             where appliance_id is not null and state in ('blocked', 'ready', 'running', 'retrying')",
        "create index tasks_failed on tasks (id) where state in ('failed', 'cancelled')",
    ],
    down: ["drop table tasks"],
}
