//! Audit records: calls that changed something or were refused. They outlive what they are about and therefore refer to nothing.

crate::change::change! {
    up: [
        "create table audit_records (
             id {id},
             at {time} not null,
             user_name text not null,
             token_name text not null,
             peer text not null,
             method text not null,
             request text not null,
             result text not null,
             message text not null
         )",
        "create index audit_records_of_user on audit_records (user_name, id)",
        "create index audit_records_at on audit_records (at)",
    ],
    down: ["drop table audit_records"],
}
