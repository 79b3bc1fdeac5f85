//! Templates that are used no more: too old, or being deleted. One that is deleted is not brought back by a look at its provider that began before.

crate::change::change! {
    up: [
        "alter table templates add column obsolete boolean not null default false",
        "alter table templates add column gone_at {time}",
        // No reference: its workflow has one.
        "alter table tasks add column template_id bigint",
        "create index templates_retiring on templates (id) where state = 'retiring'",
        "create index appliances_of_template on appliances (template_id) where state <> 'gone'",
    ],
    down: [
        "drop index appliances_of_template",
        "drop index templates_retiring",
        "alter table tasks drop column template_id",
        "alter table templates drop column gone_at",
        "alter table templates drop column obsolete",
    ],
}
