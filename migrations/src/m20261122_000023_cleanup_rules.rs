//! Clean-up rules: machines that may be deleted although they do not carry our tag.

crate::change::change! {
    up: [
        "create table cleanup_rules (
             id {id},
             name_pattern text not null,
             min_age_us bigint not null check (min_age_us > 0),
             provider text,
             created_by text not null,
             created_at {time} not null
         )",
    ],
    down: ["drop table cleanup_rules"],
}
