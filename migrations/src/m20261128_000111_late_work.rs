//! What takes too long: when a workflow is late, and since when killing an appliance is known not to get on.

crate::change::change! {
    up: [
        "alter table workflows add column late_at {time}",
        "alter table appliances add column stuck_since {time}",
        "create index workflows_late on workflows (late_at) where finished_at is null and late_at is not null",
        "create index appliances_stuck on appliances (id) where stuck_since is not null and state = 'killing'",
    ],
    down: [
        "drop index appliances_stuck",
        "drop index workflows_late",
        "alter table appliances drop column stuck_since",
        "alter table workflows drop column late_at",
    ],
}
