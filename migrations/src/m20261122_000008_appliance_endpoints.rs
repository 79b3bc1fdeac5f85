//! Where the services of appliances answer.

crate::change::change! {
    up: [
        "create table appliance_endpoints (
             appliance_id bigint not null references appliances (id) on delete cascade,
             position bigint not null,
             name text not null,
             host text not null,
             port bigint not null check (port between 1 and 65535),
             url text,
             primary key (appliance_id, position)
         )",
    ],
    down: ["drop table appliance_endpoints"],
}
