//! The queue by provider: whoever asks for tasks of some providers does not step over those of others, of which there may be many if nobody serves them.

crate::change::change! {
    up: [
        "drop index tasks_due",
        "create index tasks_due on tasks (provider, lane, priority, turn, id)
             where state in ('ready', 'retrying') and (step <> 'clone' or epoch > 0)",
    ],
    down: [
        "drop index tasks_due",
        "create index tasks_due on tasks (lane, priority, turn, id)
             where state in ('ready', 'retrying') and (step <> 'clone' or epoch > 0)",
    ],
}
