//! What staff have done to machines that are no appliances: the machine by its name (on the workflow's provider) and the tag that it must carry. A task
//! repeats what its workflow is about.

crate::change::change! {
    up: [
        "alter table workflows add column machine_tag bigint",
        "alter table tasks add column machine text",
        "alter table tasks add column machine_tag bigint",
    ],
    down: [
        "alter table tasks drop column machine_tag",
        "alter table tasks drop column machine",
        "alter table workflows drop column machine_tag",
    ],
}
