//! Tasks: the queue. A first clone waits for a slot, so the queue of all other tasks is not read past those.

crate::change::change! {
    up: [
        "create table tasks (
             id {id},
             workflow_id bigint not null references workflows (id),
             workflow text not null check (workflow in ('deploy', 'kill', 'check_provider')),
             appliance_id bigint references appliances (id),
             provider text not null references providers (key),
             step text not null check (step in ('clone', 'wait_present', 'tag', 'start', 'wait_address', 'wait_ready',
                                                'stop', 'delete', 'wait_gone', 'check_provider')),
             position bigint not null,
             lane smallint not null check (lane between 0 and 5),
             priority smallint not null,
             state text not null check (state in ('blocked', 'ready', 'running', 'retrying', 'done', 'failed', 'cancelled')),
             attempt bigint not null,
             epoch bigint not null,
             worker text references workers (id),
             cancel_requested boolean not null,
             due_at {time} not null,
             error text not null,
             created_at {time} not null,
             finished_at {time},
             unique (workflow_id, position),
             check ((state = 'running') = (worker is not null))
         )",
        "create index tasks_due on tasks (lane, priority, id)
             where state in ('ready', 'retrying') and (step <> 'clone' or epoch > 0)",
        "create index tasks_first_clones on tasks (provider, priority, id)
             where state in ('ready', 'retrying') and step = 'clone' and epoch = 0",
        "create index tasks_retrying on tasks (due_at) where state = 'retrying'",
        "create index tasks_of_worker on tasks (worker) where state = 'running'",
        "create index tasks_unfinished_of_appliance on tasks (appliance_id)
             where appliance_id is not null and state in ('blocked', 'ready', 'running', 'retrying')",
        "create index tasks_unfinished_of_provider on tasks (provider)
             where appliance_id is null and state in ('blocked', 'ready', 'running', 'retrying')",
    ],
    down: ["drop table tasks"],
}
