//! Catalogues: what they say of templates, what the last look at each and at each provider found, and which templates may not be used.

crate::change::change! {
    up: [
        "alter table templates add column unusable text not null default ''",
        "create table catalogue_entries (
             id {id},
             source text not null,
             provider text not null,
             name text not null,
             group_name text not null,
             usable boolean not null,
             build_date date,
             unique (provider, name, source)
         )",
        "create table catalogue_looks (
             id {id},
             kind text not null check (kind in ('source', 'provider')),
             name text not null,
             failure text not null,
             failed_since {time},
             listed bigint not null,
             usable bigint not null,
             changed_at {time},
             change text not null,
             problem_count bigint not null,
             unique (kind, name)
         )",
        "create table catalogue_problems (
             id {id},
             look_id bigint not null references catalogue_looks (id) on delete cascade,
             kind text not null,
             provider text not null,
             subject text not null,
             message text not null
         )",
        "create index catalogue_problems_of_look on catalogue_problems (look_id)",
    ],
    down: [
        "drop table catalogue_problems",
        "drop table catalogue_looks",
        "drop table catalogue_entries",
        "alter table templates drop column unusable",
    ],
}
