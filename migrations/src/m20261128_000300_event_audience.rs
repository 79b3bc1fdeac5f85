//! Whom events are for, beside staff: the owner of their pool, who had it until then, and others who may see what they are about.

crate::change::change! {
    up: [
        "alter table events add column owner_id bigint",
        "alter table events add column former_owner_id bigint",
        "alter table events add column audience text",
        "update events set owner_id = (select p.owner_id from pools p where p.id = events.pool_id) where pool_id is not null",
        "update events set audience = 'provider:' || provider
         where provider is not null and pool_id is null and appliance_id is null and kind in ('provider_checked', 'provider_circuit')",
        "create index events_of_owner on events (owner_id, sequence) where owner_id is not null",
        "create index events_of_former_owner on events (former_owner_id, sequence) where former_owner_id is not null",
        "create index events_of_audience on events (audience, sequence) where audience is not null",
    ],
    down: [
        "drop index events_of_audience",
        "drop index events_of_former_owner",
        "drop index events_of_owner",
        "alter table events drop column audience",
        "alter table events drop column former_owner_id",
        "alter table events drop column owner_id",
    ],
}
