//! Templates found on providers. Those that went keep their row, because appliances refer to it.

crate::change::change! {
    up: [
        "create table templates (
             id {id},
             name text not null,
             provider text not null references providers (key),
             group_name text not null,
             version text not null,
             build_date date not null,
             state text not null check (state in ('ready', 'gone')),
             found_at {time} not null,
             unique (provider, name)
         )",
        "create index templates_usable on templates (group_name, version, build_date) where state = 'ready'",
    ],
    down: ["drop table templates"],
}
