//! Tokens, by the hash of what a caller shows; each is of one user or one worker.

crate::change::change! {
    up: [
        "create table tokens (
             id {id},
             hash text not null unique,
             user_id bigint references users (id),
             worker text,
             name text not null default '',
             scope text not null default 'full' check (scope in ('read', 'use', 'full')),
             used_at {time},
             created_at {time} not null,
             expires_at {time},
             check ((user_id is null) <> (worker is null))
         )",
        "create index tokens_of_user on tokens (user_id) where user_id is not null",
    ],
    down: ["drop table tokens"],
}
