//! Shepherds: how many appliances of a group are kept warm for a user group, or for everyone.

crate::change::change! {
    up: [
        "create table shepherds (
             id {id},
             group_name text not null,
             user_group_id bigint references user_groups (id) on delete cascade,
             preconfigured bigint not null check (preconfigured >= 0),
             unconfigured bigint not null check (unconfigured >= 0),
             demand text
         )",
        "create unique index shepherds_of on shepherds (group_name, coalesce(user_group_id, 0))",
    ],
    down: ["drop table shepherds"],
}
