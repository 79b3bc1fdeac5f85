//! Join tokens, by the hash of what a worker shows: each lets one worker join once. What was answered is kept until it expires, to be answered again.

crate::change::change! {
    up: [
        "create table join_tokens (
             hash text primary key not null,
             worker text not null,
             expires_at {time} not null,
             used_at {time},
             request_hash text,
             certificate text,
             check ((used_at is null) = (request_hash is null) and (used_at is null) = (certificate is null))
         )",
        "create index join_tokens_of_worker on join_tokens (worker)",
    ],
    down: ["drop table join_tokens"],
}
