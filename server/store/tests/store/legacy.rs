//! Reading the database of the service that was replaced, on both kinds it ran on.

use sea_orm::{ConnectionTrait as _, Database};
use sprout_domain::{
    Reason,
    legacy::{LegacyShepherd, LegacyUserGroup},
    user::Role,
};
use sprout_store::read_legacy;
use sprout_test_support::{
    database::{EmptyDatabase, TestDatabase},
    on_each_database,
};

on_each_database!(all_of_it_is_read_and_nothing_is_changed, another_database_is_refused);

/// The tables that are read, with those of their columns that are; without the constraints that Django makes, which old databases have lost.
const SCHEMA: &[&str] = &[
    "create table auth_user (id integer primary key, password varchar(128), is_superuser bool, username varchar(150),
        first_name varchar(30), last_name varchar(150), is_staff bool, is_active bool)",
    "create table auth_group (id integer primary key, name varchar(150))",
    "create table auth_user_groups (id integer primary key, user_id integer not null, group_id integer not null)",
    "create table auth_permission (id integer primary key, name varchar(255) not null, content_type_id integer not null, codename varchar(100) not null)",
    "create table auth_user_user_permissions (id integer primary key, user_id integer not null, permission_id integer not null)",
    "create table auth_group_permissions (id integer primary key, group_id integer not null, permission_id integer not null)",
    "create table appliances_userappliancequota (id integer primary key, per_pool_quota integer, total_pool_quota integer, total_vm_quota integer,
        user_id integer not null)",
    "create table appliances_provider_user_groups (id integer primary key, provider_id varchar(32) not null, group_id integer not null)",
    "create table appliances_groupshepherd (id integer primary key, template_pool_size integer,
        unconfigured_template_pool_size integer not null, template_group_id varchar(32) not null, user_group_id integer not null)",
    "create table appliances_appliancepool (id integer primary key, not_needed_anymore bool, owner_id integer)",
    "create table appliances_appliance (id integer primary key)",
    "create table appliances_bugquery (id integer primary key)",
];

const ROWS: &[&str] = &[
    "insert into auth_user values (1, 'pbkdf2_sha256$1$s$x', true, 'root', '', 'Root', true, true),
        (2, '!', false, 'jenkins', '', 'bot', false, true), (3, 'h', false, 'gone', '', 'Smith', true, false),
        (4, null, null, null, null, null, null, null), (5, 'h', false, 'Gone', '', '', false, true)",
    "insert into auth_group values (1, 'QE'), (2, 'dev'), (3, null), (4, 'QE')",
    "insert into auth_user_groups values (1, 2, 1), (2, 3, 1), (3, 3, 2), (4, 99, 1), (5, 3, 99), (6, 5, 3)",
    "insert into auth_permission values (7, 'Can modify HW', 1, 'can_modify_hw'), (8, 'Other', 1, 'add_pool')",
    "insert into auth_user_user_permissions values (1, 2, 8)",
    "insert into auth_group_permissions values (1, 2, 7)",
    "insert into appliances_userappliancequota values (1, 5, null, 20, 2), (2, 4, null, null, 2), (3, 1, 1, 1, 99)",
    "insert into appliances_provider_user_groups values (1, 'vsphere', 1), (2, 'rhv', 1), (3, 'rhv', 99)",
    "insert into appliances_groupshepherd values (1, 3, 1, 'downstream-511z', 1), (2, null, 2, 'upstream', 99)",
    "insert into appliances_appliancepool values (1, false, 3), (2, true, 3), (3, false, null), (4, null, 99)",
    "insert into appliances_appliance values (1), (2)",
];

async fn all_of_it_is_read_and_nothing_is_changed(db: TestDatabase) -> anyhow::Result<()> {
    let legacy = EmptyDatabase::new(db.kind()).await?.unwrap();
    let url = if legacy.url().starts_with("sqlite:") {
        format!("{}?mode=rwc", legacy.url())
    } else {
        legacy.url().to_owned()
    };
    let raw = Database::connect(&url).await?;
    for sql in SCHEMA.iter().chain(ROWS) {
        raw.execute_unprepared(sql).await?;
    }
    raw.close_by_ref().await?;

    let read = read_legacy(&legacy.options()).await?;
    let users: Vec<_> = read.users.iter().map(|user| (user.name.as_str(), user.role, user.disabled)).collect();
    assert_eq!(
        users,
        [
            ("root", Role::Superuser, false),
            ("jenkins", Role::Bot, false),
            ("gone", Role::Staff, true),
            ("", Role::User, true),
            ("Gone", Role::User, false)
        ]
    );
    let rights: Vec<_> = read.users.iter().map(|user| (user.can_override_hardware, user.user_groups.len())).collect();
    assert_eq!(rights, [(false, 0), (false, 1), (true, 2), (false, 0), (false, 0)], "by a group");
    let quota = read.users[1].quota;
    let limits = (quota.appliances_per_pool, quota.pools, quota.appliances);
    assert_eq!(limits, (Some(4), None, Some(20)), "the least of two");
    assert_eq!(read.users[0].password_hash, "pbkdf2_sha256$1$s$x");
    let group = |name: &str, providers: &[&str]| LegacyUserGroup {
        name: name.to_owned(),
        providers: providers.iter().map(|key| (*key).to_owned()).collect(),
    };
    assert_eq!(
        read.user_groups,
        [group("QE", &["rhv", "vsphere"]), group("dev", &[]), group("", &[]), group("QE", &[])]
    );
    let shepherd = LegacyShepherd {
        group: "downstream-511z".to_owned(),
        user_group: "QE".to_owned(),
        preconfigured: 3,
        unconfigured: 1,
    };
    let dangling = LegacyShepherd {
        group: "upstream".to_owned(),
        user_group: "with the id 99".to_owned(),
        preconfigured: 0,
        unconfigured: 2,
    };
    assert_eq!(read.shepherds, [shepherd, dangling]);
    assert_eq!((read.pools, read.appliances, read.bug_queries), (2, 2, 0));
    assert_eq!(read_legacy(&legacy.options()).await?, read);
    Ok(())
}

async fn another_database_is_refused(db: TestDatabase) -> anyhow::Result<()> {
    let error = read_legacy(&db.options()).await.unwrap_err();
    assert_eq!(error.reason, Reason::InvalidArgument);
    assert!(error.message.contains("no table auth_user"), "{error}");
    Ok(())
}
