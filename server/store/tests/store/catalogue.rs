//! Providers and templates: kept equal to the configuration and to what a check found.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use sprout_app::ports::TemplateFilter;
use sprout_domain::{
    appliance::ApplianceState,
    operation::Capability,
    provider::{Capacity, Circuit, CircuitState, Provider, ProviderLoad},
    room::{Need, Room},
    template::TemplateState,
    version::Version,
};
use sprout_test_support::{
    database::{Kind, TestDatabase},
    on_each_database,
};

use crate::world::{World, date, found, keys, provider, to};

on_each_database!(
    providers_follow_the_configuration,
    room_and_load,
    templates_follow_the_provider,
    unchanged_templates_are_not_written,
    templates_are_filtered
);

async fn providers_follow_the_configuration(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    tx.set_checked(&"p1".into(), true, "Docker 28").await?;
    let can = BTreeSet::from([Capability::Power, Capability::RenameOff]);
    tx.set_capabilities(&"p1".into(), &can).await?;
    let now = tx.now();
    tx.sync_providers(&[provider("p0", 7, Some(3)), provider("p1", 4, None)]).await?;
    let all = tx.providers().await?;
    let expected = Provider {
        key: "p1".into(),
        name: "Provider p1".to_owned(),
        driver: "container".to_owned(),
        working: true,
        disabled: false,
        status: "Docker 28".to_owned(),
        checked_at: Some(now),
        provisioning_limit: 4,
        appliance_limit: None,
        load: ProviderLoad { provisioning_count: 0, appliance_count: 0, template_count: 1 },
        switched_off: false,
        hidden: false,
        circuit: Circuit {
            state: CircuitState::Closed,
            failures: 0,
            openings: 0,
            reason: String::new(),
            next_try_at: None,
        },
        memory: Capacity::default(),
        cpus: Capacity::default(),
        capabilities: can.clone(),
        user_groups: Vec::new(),
    };
    assert_eq!(all[1], expected);
    assert_eq!(tx.capabilities(&"p1".into()).await?, can);
    assert!(tx.capabilities(&"p0".into()).await?.is_empty(), "not known");
    assert_eq!((&all[0].key, all[0].appliance_limit, all[0].working), (&"p0".into(), Some(3), false));

    tx.sync_providers(&[provider("p0", 7, None)]).await?;
    let all = tx.providers().await?;
    assert_eq!((all[0].disabled, all[0].appliance_limit, all[1].disabled), (false, None, true));
    tx.sync_providers(&[]).await?;
    assert!(tx.providers().await?.iter().all(|provider| provider.disabled));
    tx.sync_providers(&[provider("p1", 4, None)]).await?;
    assert!(!tx.providers().await?[1].disabled);
    Ok(())
}

async fn room_and_load(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let made = world.appliances(&mut tx, 13, ApplianceState::Requested).await?;
    for (appliance, state) in made.iter().zip(ApplianceState::ALL) {
        tx.change_appliances(&[appliance.id], &to(state)).await?;
    }
    let load = tx.providers().await?[0].load;
    assert_eq!(load, ProviderLoad { provisioning_count: 3, appliance_count: 12, template_count: 1 });
    let room = tx.room(&keys(&["p1", "unknown"])).await?;
    let expected = Room {
        disabled: false,
        working: false,
        circuit: CircuitState::Closed,
        next_try_at: None,
        provisioning_limit: 2,
        provisioning_count: 4,
        appliance_limit: None,
        appliance_count: 12,
        memory: Capacity::default(),
        cpus: Capacity::default(),
        usual: Need::default(),
    };
    assert_eq!(room.into_iter().collect::<Vec<_>>(), [("p1".into(), expected)]);
    tx.sync_providers(&[provider("p1", 2, Some(20))]).await?;
    let limited = Room { appliance_limit: Some(20), ..expected };
    assert_eq!(tx.room(&keys(&["p1"])).await?.into_iter().collect::<Vec<_>>(), [("p1".into(), limited)]);
    Ok(())
}

async fn templates_follow_the_provider(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let key = "p1".into();
    let mut changed = found("t1");
    changed.version = Version::new("2");
    assert_eq!(tx.sync_templates(&key, &[changed.clone(), found("t2"), found("t2")]).await?, 2);
    let all = tx.templates(&TemplateFilter::default()).await?;
    assert_eq!(all.iter().map(|t| (&*t.name, t.version.as_str())).collect::<Vec<_>>(), [("t2", "1"), ("t1", "2")]);
    assert_eq!(all[1].id, world.template.id);
    assert_eq!(all[1].found_at, world.template.found_at);

    assert_eq!(tx.sync_templates(&key, &[found("t2")]).await?, 1);
    assert_eq!(tx.templates(&TemplateFilter::default()).await?.len(), 1);
    let gone = tx.templates(&TemplateFilter { with_gone: true, ..TemplateFilter::default() }).await?;
    assert_eq!(gone[1].state, TemplateState::Gone);
    assert_eq!(tx.sync_templates(&key, &[found("t2")]).await?, 0);
    assert_eq!(tx.sync_templates(&key, &[changed, found("t2")]).await?, 1);
    assert_eq!(tx.templates(&TemplateFilter::default()).await?[1].id, world.template.id);
    assert_eq!(tx.sync_templates(&key, &[]).await?, 2);
    assert_eq!(tx.sync_templates(&key, &[]).await?, 0);
    Ok(())
}

async fn unchanged_templates_are_not_written(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let file = Database::connect(world.db.url()).await?;
    // PostgreSQL numbers the versions of a row by transaction; SQLite counts changes of the file.
    let (backend, sql) = match world.db.kind() {
        Kind::Postgres => (DbBackend::Postgres, "select xmin::text || ',' || xmax::text as version from templates"),
        Kind::Sqlite => (DbBackend::Sqlite, "select data_version || '' as version from pragma_data_version"),
    };
    let version = async || -> anyhow::Result<String> {
        let row = file.query_one_raw(Statement::from_string(backend, sql)).await?.unwrap();
        Ok(row.try_get("", "version")?)
    };
    let before = version().await?;
    let mut tx = world.write().await?;
    assert_eq!(tx.sync_templates(&"p1".into(), &[found("t1")]).await?, 0);
    tx.commit().await?;
    assert_eq!(version().await?, before);

    let mut tx = world.write().await?;
    assert_eq!(tx.sync_templates(&"p1".into(), &[]).await?, 1);
    tx.commit().await?;
    assert_ne!(version().await?, before);
    Ok(())
}

async fn templates_are_filtered(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    tx.sync_providers(&[provider("p1", 2, None), provider("p2", 2, None)]).await?;
    let mut other = found("t2");
    other.group = "h".into();
    other.version = Version::new("2");
    other.date = date("2021-01-01");
    tx.sync_templates(&"p2".into(), &[other]).await?;
    let filter = TemplateFilter::default;
    for (filter, expected) in [
        (filter(), vec!["t2", "t1"]),
        (TemplateFilter { group: Some("h".into()), ..filter() }, vec!["t2"]),
        (TemplateFilter { provider: Some("p1".into()), ..filter() }, vec!["t1"]),
        (TemplateFilter { version: Some(Version::new("2")), ..filter() }, vec!["t2"]),
        (TemplateFilter { date: Some(date("2020-01-01")), ..filter() }, vec!["t1"]),
        (TemplateFilter { usable_only: true, ..filter() }, vec![]),
    ] {
        let found = tx.templates(&filter).await?;
        assert_eq!(found.iter().map(|template| &*template.name).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    tx.set_checked(&"p1".into(), true, "").await?;
    tx.set_checked(&"p2".into(), true, "").await?;
    let usable = TemplateFilter { usable_only: true, ..filter() };
    assert_eq!(tx.templates(&usable).await?.len(), 2);
    tx.sync_providers(&[provider("p1", 2, None)]).await?;
    assert_eq!(tx.templates(&usable).await?.len(), 1);
    Ok(())
}
