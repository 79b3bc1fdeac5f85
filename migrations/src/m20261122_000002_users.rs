//! Users, who sign in with a name and a password.

crate::change::change! {
    up: [
        "create table users (
             id {id},
             name text not null unique,
             password_hash text not null,
             role text not null check (role in ('user', 'staff', 'superuser')),
             created_at {time} not null
         )",
    ],
    down: ["drop table users"],
}
