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
             state text not null check (state in ('preparing', 'ready', 'quarantined', 'retiring', 'gone')),
             type text not null default 'virtual_machine' check (type in ('virtual_machine', 'container', 'docker_vm')),
             unconfigured boolean not null default false,
             failure_count bigint not null default 0,
             quarantine_reason text not null default '',
             quarantine_tries bigint not null default 0,
             specimen_id bigint,
             next_try_at {time},
             suggested_for_deletion boolean not null default false,
             found_at {time} not null,
             unique (provider, name)
         )",
        "create index templates_usable on templates (group_name, version, build_date) where state = 'ready'",
    ],
    down: ["drop table templates"],
}
