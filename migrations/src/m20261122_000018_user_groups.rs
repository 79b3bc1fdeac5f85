//! User groups: who may see and use which providers.

crate::change::change! {
    up: [
        "create table user_groups (
             id {id},
             name text not null unique,
             created_at {time} not null
         )",
        "create table user_group_members (
             user_group_id bigint not null references user_groups (id) on delete cascade,
             user_id bigint not null references users (id) on delete cascade,
             primary key (user_group_id, user_id)
         )",
        "create index user_groups_of_user on user_group_members (user_id)",
        "create table user_group_providers (
             user_group_id bigint not null references user_groups (id) on delete cascade,
             provider text not null references providers (key) on delete cascade,
             primary key (user_group_id, provider)
         )",
        "create index user_groups_of_provider on user_group_providers (provider)",
    ],
    down: ["drop table user_group_providers", "drop table user_group_members", "drop table user_groups"],
}
