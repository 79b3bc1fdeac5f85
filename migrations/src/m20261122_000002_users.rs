//! Users, who sign in with a name and a password, and what they may have at most.

crate::change::change! {
    up: [
        "create table users (
             id {id},
             name text not null unique,
             password_hash text not null,
             role text not null check (role in ('user', 'bot', 'staff', 'superuser')),
             disabled boolean not null default false,
             can_override_hardware boolean not null default false,
             quota_appliances_per_pool bigint,
             quota_pools bigint,
             quota_appliances bigint,
             weight bigint not null default 1 check (weight between 1 and 100),
             created_at {time} not null
         )",
    ],
    down: ["drop table users"],
}
