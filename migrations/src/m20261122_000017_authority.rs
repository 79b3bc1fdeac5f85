//! The one row of the authority that signs workers' certificates, made by the first server that needs it. Its key is a secret of the servers'.

crate::change::change! {
    up: [
        "create table authority (
             id bigint primary key not null check (id = 1),
             certificate text not null,
             private_key text not null,
             created_at {time} not null
         )",
    ],
    down: ["drop table authority"],
}
