//! What catalogues say of templates besides whether they may be used: released to everyone, and data of their own.

crate::change::change! {
    up: [
        "alter table templates add column ga_released boolean not null default false",
        "alter table templates add column custom_data text not null default ''",
        "alter table catalogue_entries add column ga_released boolean not null default false",
        "alter table catalogue_entries add column custom_data text not null default ''",
    ],
    down: [
        "alter table catalogue_entries drop column custom_data",
        "alter table catalogue_entries drop column ga_released",
        "alter table templates drop column custom_data",
        "alter table templates drop column ga_released",
    ],
}
