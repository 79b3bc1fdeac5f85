//! Templates that are prepared from others, the appliances that become them, and how many at once.

crate::change::change! {
    up: [
        "alter table templates add column parent_id bigint",
        "alter table templates add column prepared_at {time}",
        "alter table templates add column build text not null default ''",
        "alter table templates add column verified_version text not null default ''",
        "alter table templates add column preparation_failures bigint not null default 0",
        "alter table templates add column preparation_error text not null default ''",
        "alter table templates add column prepare_after {time}",
        // A template is prepared once at a time.
        "create unique index templates_preparing on templates (parent_id) where state = 'preparing'",
        "create index templates_prepared on templates (parent_id) where parent_id is not null",
        "alter table appliances add column prepares bigint",
        "alter table appliances add column host_key text",
        "create index appliances_preparing on appliances (prepares) where prepares is not null",
        // Such an appliance is not kept warm for anybody.
        "drop index appliances_warm",
        "create index appliances_warm on appliances (template_id, state, user_group_id, unconfigured, group_name)
             where pool_id is null and prepares is null and state in ('requested', 'cloning', 'starting', 'preparing', 'ready', 'killing')",
        "alter table providers add column configuring_limit bigint not null default 1",
    ],
    down: [
        "alter table providers drop column configuring_limit",
        "drop index appliances_warm",
        "create index appliances_warm on appliances (template_id, state, user_group_id, unconfigured, group_name)
             where pool_id is null and state in ('requested', 'cloning', 'starting', 'preparing', 'ready', 'killing')",
        "drop index appliances_preparing",
        "alter table appliances drop column host_key",
        "alter table appliances drop column prepares",
        "drop index templates_prepared",
        "drop index templates_preparing",
        "alter table templates drop column prepare_after",
        "alter table templates drop column preparation_error",
        "alter table templates drop column preparation_failures",
        "alter table templates drop column verified_version",
        "alter table templates drop column build",
        "alter table templates drop column prepared_at",
        "alter table templates drop column parent_id",
    ],
}
