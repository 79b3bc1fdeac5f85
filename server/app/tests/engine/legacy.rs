//! Taking over users of the service before: whole, once, and with the passwords they had.

use sprout_app::{
    UserUpdate,
    ports::{ShepherdFilter, Store as _},
};
use sprout_domain::{
    Reason, Secret,
    legacy::{LegacyService, LegacyShepherd, LegacyUser, LegacyUserGroup},
    quota::Quota,
    user::Role,
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::World;

on_each_database!(what_has_a_place_is_taken_over_once, an_old_password_works_and_is_stored_anew);

/// `lètmein`, with one iteration.
const HASH: &str = "pbkdf2_sha256$1$seasalt$mJQ8D8xVBAKQGCo0t0n+NSPS2a0gQhVtjuC9LdL9WiM=";

fn user(name: &str, role: Role, groups: &[&str]) -> LegacyUser {
    LegacyUser {
        name: name.to_owned(),
        password_hash: HASH.to_owned(),
        role,
        disabled: false,
        can_override_hardware: true,
        user_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        quota: Quota { pools: Some(3), ..Quota::default() },
    }
}

fn service() -> LegacyService {
    let group = |name: &str, providers: &[&str]| LegacyUserGroup {
        name: name.to_owned(),
        providers: providers.iter().map(|key| (*key).to_owned()).collect(),
    };
    let shepherd = |group: &str, user_group: &str| LegacyShepherd {
        group: group.to_owned(),
        user_group: user_group.to_owned(),
        preconfigured: 2,
        unconfigured: 0,
    };
    LegacyService {
        users: vec![
            user("old", Role::User, &["QE & infra"]),
            user("root", Role::Superuser, &[]),
            LegacyUser { disabled: true, password_hash: "!".to_owned(), ..user("left", Role::Bot, &[]) },
            user("ann", Role::Superuser, &[]),
            user("zoë", Role::User, &[]),
            user("", Role::User, &[]),
            user("old", Role::Superuser, &[]),
            user("Old", Role::User, &[]),
            LegacyUser { password_hash: "sha1$salt$0000".to_owned(), ..user("sha", Role::User, &[]) },
            LegacyUser { password_hash: "sha1$other$1111".to_owned(), ..user("sha-2", Role::User, &[]) },
            LegacyUser { password_hash: "0123456789abcdef0123456789abcdef".to_owned(), ..user("md5", Role::User, &[]) },
            LegacyUser { password_hash: "pbkdf2_sha256$12000$salt".to_owned(), ..user("cut", Role::User, &[]) },
        ],
        user_groups: vec![group("QE & infra", &["lab", "gone"]), group("testers", &[])],
        shepherds: vec![shepherd("app", "QE & infra"), shepherd("no-such", "QE & infra")],
        pools: 1,
        appliances: 4,
        bug_queries: 0,
    }
}

async fn what_has_a_place_is_taken_over_once(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let planned = world.app.import_legacy(&service(), true).await?;
    assert_eq!(world.app.login("root", Secret::new("lètmein"), None).await.unwrap_err().reason, Reason::WrongPassword);
    let report = world.app.import_legacy(&service(), false).await?;
    assert_eq!(report, planned, "a dry run tells what will be");
    assert_eq!((report.users, report.user_groups, report.shepherds), (8, 1, 1));
    let left: Vec<_> = report.left.iter().map(|left| left.what.as_str()).collect();
    assert_eq!(
        left,
        [
            "user group QE & infra's right to provider gone",
            "user group testers",
            "user ann",
            "user zoë",
            "user without a name",
            "user old",
            "2 passwords",
            "user md5's password",
            "user cut's password",
            "user left's password",
            "warm appliances of group no-such for user group QE & infra",
            "1 pools and 4 appliances",
        ]
    );
    let why = |of: &str| report.left.iter().find(|left| left.what == of).unwrap().why.clone();
    let hashed = why("2 passwords");
    assert!(
        hashed.starts_with("it was hashed by sha1, and only pbkdf2_sha256 goes on working; set another with"),
        "{hashed}"
    );
    assert!(hashed.ends_with(": sha, sha-2"), "{hashed}");
    assert!(why("user md5's password").contains("of long ago") && why("user cut's password").contains("damaged"));
    assert!(why("user left's password").contains("none") && why("user old").contains("another one has the same name"));
    let kept = world.database.store().read().await?.user_by_name("md5").await?.unwrap().1;
    assert_eq!(kept, "!", "what nobody signs in with is not kept");
    let root = world.app.login("root", Secret::new("lètmein"), None).await?.user.user;
    let (old, quota) = world.app.user(&root, Some("old")).await?;
    assert_eq!((old.user.role, old.user.can_override_hardware, quota.quota.pools), (Role::User, true, Some(3)));
    assert_eq!(old.user_groups, ["QE___infra"]);
    assert!(world.app.user(&root, Some("left")).await?.0.user.disabled);
    assert_eq!(world.app.user(&root, Some("ann")).await?.0.user.role, Role::User, "who was there stays as is");
    let group = world.app.user_group(&root, "QE___infra").await?;
    assert_eq!((group.members, group.providers), (vec!["old".to_owned()], vec!["lab".into()]));
    let shepherds = world.database.store().read().await?.shepherds(&ShepherdFilter::default()).await?;
    assert_eq!((shepherds.len(), shepherds[0].preconfigured), (1, 2));

    let again = world.app.import_legacy(&service(), false).await?;
    assert_eq!((again.users, again.user_groups, again.shepherds), (0, 0, 0));
    Ok(())
}

async fn an_old_password_works_and_is_stored_anew(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    world.app.import_legacy(&service(), false).await?;
    let wrong = world.app.login("root", Secret::new("letmein"), None).await;
    assert_eq!(wrong.unwrap_err().reason, Reason::WrongPassword);
    let hash = async || anyhow::Ok(world.database.store().read().await?.user_by_name("root").await?.unwrap().1);
    assert_eq!(hash().await?, HASH, "a wrong password changes nothing");
    let root = world.app.login("root", Secret::new("lètmein"), None).await?.user.user;
    assert!(hash().await?.starts_with("$argon2id$"));
    world.app.login("root", Secret::new("lètmein"), None).await?;

    let none = world.app.login("left", Secret::new("!"), None).await;
    assert_eq!(none.unwrap_err().reason, Reason::WrongPassword);
    let password = Some(Secret::new("a new password"));
    world
        .app
        .update_user(&root, "left", UserUpdate { password, disabled: Some(false), ..UserUpdate::default() })
        .await?;
    world.app.login("left", Secret::new("a new password"), None).await?;
    Ok(())
}
