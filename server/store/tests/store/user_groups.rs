//! User groups, and what their members see.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait as _, Database};
use sprout_app::ports::{Sight, TemplateFilter, UserGroupChange};
use sprout_domain::{Reason, UserId, Visible, user::Role};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{World, found, keys, provider};

on_each_database!(
    members_and_providers_are_added_and_removed,
    hidden_providers_are_not_seen,
    templates_are_filtered_by_what_is_seen,
);

fn change() -> UserGroupChange {
    UserGroupChange::default()
}

async fn members_and_providers_are_added_and_removed(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    tx.sync_providers(&[provider("p1", 2, None), provider("p2", 2, None)]).await?;
    let bob = tx.insert_user("bob", "hash", Role::Staff).await?.id;
    let (ann, now) = (world.user.id, tx.now());
    let qe = tx.insert_user_group("qe").await?;
    assert_eq!(tx.insert_user_group("qe").await.unwrap_err().reason, Reason::UserGroupExists);
    let ci = tx.insert_user_group("ci").await?;
    let add = UserGroupChange { add_members: vec![bob, ann, ann], add_providers: keys(&["p2", "p1"]), ..change() };
    tx.change_user_group(qe, &add).await?;
    tx.change_user_group(qe, &add).await?;
    tx.change_user_group(ci, &UserGroupChange { add_members: vec![bob], ..change() }).await?;
    let all = tx.user_groups(None).await?;
    assert_eq!(all.iter().map(|group| &*group.name).collect::<Vec<_>>(), ["ci", "qe"]);
    assert_eq!((all[1].id, &all[1].members, &all[1].providers), (qe, &names(&["ann", "bob"]), &keys(&["p1", "p2"])));
    assert_eq!((all[0].created_at, all[0].providers.len()), (now, 0));
    assert_eq!(tx.user_groups(Some(ann)).await?, all[1..]);

    let both: BTreeSet<_> = keys(&["p1", "p2"]).into_iter().collect();
    let sights = tx.sights(&[ann, bob, UserId(999)]).await?;
    assert_eq!(sights[&ann], Sight { role: Role::User, user_groups: [qe].into(), providers: both.clone() });
    assert_eq!(sights[&bob], Sight { role: Role::Staff, user_groups: [qe, ci].into(), providers: both });
    assert_eq!(sights.len(), 2);

    let remove = UserGroupChange { remove_members: vec![ann], remove_providers: keys(&["p1", "no"]), ..change() };
    tx.change_user_group(qe, &remove).await?;
    tx.change_user_group(qe, &remove).await?;
    assert_eq!(tx.user_groups(None).await?[1].members, ["bob"]);
    assert!(tx.sights(&[ann]).await?[&ann].providers.is_empty());
    assert_eq!(tx.lock_user_groups(&names(&["qe", "no"])).await?, [("qe".to_owned(), qe)].into());
    tx.delete_user_group(qe).await?;
    assert!(tx.lock_user_groups(&names(&["qe"])).await?.is_empty());
    assert_eq!(tx.user_groups(None).await?.len(), 1);
    assert_eq!(tx.users_named(&names(&["bob", "eve"])).await?, [("bob".to_owned(), bob)].into());
    Ok(())
}

async fn hidden_providers_are_not_seen(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    let qe = tx.insert_user_group("qe").await?;
    let add = UserGroupChange { add_members: vec![world.user.id], add_providers: keys(&["p1"]), ..change() };
    tx.change_user_group(qe, &add).await?;
    tx.commit().await?;
    let direct = Database::connect(world.db.url()).await?;
    direct.execute_unprepared("update providers set hidden = true").await?;
    let mut tx = world.read().await?;
    assert!(tx.sights(&[world.user.id]).await?[&world.user.id].providers.is_empty());
    Ok(())
}

async fn templates_are_filtered_by_what_is_seen(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let mut tx = world.write().await?;
    tx.sync_providers(&[provider("p1", 2, None), provider("p2", 2, None)]).await?;
    tx.sync_templates(&"p2".into(), &[found("t2")]).await?;
    for (visible, expected) in [
        (Visible::All, vec!["t2", "t1"]),
        (Visible::Only(keys(&["p2", "p3"]).into_iter().collect()), vec!["t2"]),
        (Visible::Only(BTreeSet::new()), vec![]),
    ] {
        let found = tx.templates(&TemplateFilter { visible, ..TemplateFilter::default() }).await?;
        assert_eq!(found.iter().map(|template| &*template.name).collect::<Vec<_>>(), expected);
    }
    Ok(())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
