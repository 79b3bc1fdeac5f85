//! Pools whose appliances are brought up to date before they are handed out.

crate::change::change! {
    up: ["alter table pools add column updated boolean not null default false"],
    down: ["alter table pools drop column updated"],
}
