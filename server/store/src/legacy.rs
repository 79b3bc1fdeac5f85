//! Reads the database of the service that was replaced, in one snapshot, and changes nothing there.

use std::collections::BTreeMap;

use sea_orm::{
    AccessMode, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, FromQueryResult,
    IsolationLevel, Statement, TransactionOptions, TransactionTrait as _,
};
use sprout_domain::{
    Error, Reason, Result,
    legacy::{LegacyService, LegacyShepherd, LegacyUser, LegacyUserGroup, role},
    quota::Quota,
};

use crate::{
    StoreOptions,
    error::from_db,
    open::{close, read_only},
};

/// Tables without which it is not the database of that service.
const TABLES: [&str; 6] = [
    "auth_user",
    "auth_group",
    "auth_user_groups",
    "appliances_groupshepherd",
    "appliances_userappliancequota",
    "appliances_provider_user_groups",
];

#[derive(FromQueryResult)]
struct User {
    username: String,
    password: String,
    last_name: String,
    is_superuser: i64,
    is_staff: i64,
    is_active: i64,
    can_modify_hw: i64,
    per_pool: Option<i64>,
    pools: Option<i64>,
    appliances: Option<i64>,
}

#[derive(FromQueryResult)]
struct Pair {
    one: String,
    other: Option<String>,
}

#[derive(FromQueryResult)]
struct Shepherd {
    template_group: String,
    user_group: String,
    preconfigured: i64,
    unconfigured: i64,
}

#[derive(FromQueryResult)]
struct Count {
    pools: i64,
    appliances: i64,
    bug_queries: i64,
}

const USERS: &str = "select u.username, u.password, u.last_name,
    cast(case when u.is_superuser then 1 else 0 end as bigint) as is_superuser,
    cast(case when u.is_staff then 1 else 0 end as bigint) as is_staff,
    cast(case when u.is_active then 1 else 0 end as bigint) as is_active,
    cast(case when exists (
        select 1 from auth_user_user_permissions up join auth_permission p on p.id = up.permission_id
        where up.user_id = u.id and p.codename = 'can_modify_hw'
    ) or exists (
        select 1 from auth_user_groups ug join auth_group_permissions gp on gp.group_id = ug.group_id
        join auth_permission p on p.id = gp.permission_id where ug.user_id = u.id and p.codename = 'can_modify_hw'
    ) then 1 else 0 end as bigint) as can_modify_hw,
    cast(q.per_pool_quota as bigint) as per_pool, cast(q.total_pool_quota as bigint) as pools, cast(q.total_vm_quota as bigint) as appliances
    from auth_user u left join appliances_userappliancequota q on q.user_id = u.id order by u.id";

const MEMBERS: &str = "select u.username as one, g.name as other
    from auth_user_groups m join auth_user u on u.id = m.user_id join auth_group g on g.id = m.group_id order by m.id";

const GROUPS: &str = "select g.name as one, p.provider_id as other
    from auth_group g left join appliances_provider_user_groups p on p.group_id = g.id order by g.id, p.provider_id";

const SHEPHERDS: &str = "select s.template_group_id as template_group, g.name as user_group,
    cast(s.template_pool_size as bigint) as preconfigured, cast(s.unconfigured_template_pool_size as bigint) as unconfigured
    from appliances_groupshepherd s join auth_group g on g.id = s.user_group_id order by s.id";

const COUNTS: &str = "select
    (select count(*) from appliances_appliancepool where not not_needed_anymore) as pools,
    (select count(*) from appliances_appliance) as appliances,
    (select count(*) from appliances_bugquery) as bug_queries";

/// Reads it.
///
/// # Errors
/// [`Reason::InvalidArgument`] if it is another database; [`Reason::DatabaseUnavailable`] if it cannot be read.
pub async fn read_legacy(options: &StoreOptions) -> Result<LegacyService> {
    let database = read_only(options).await?;
    let read = read(&database).await;
    close(&database).await;
    read
}

async fn read(database: &DatabaseConnection) -> Result<LegacyService> {
    let snapshot = if database.get_database_backend() == DbBackend::Postgres {
        TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        }
    } else {
        TransactionOptions::default()
    };
    let tx = database.begin_with_options(snapshot).await.map_err(from_db)?;
    for table in TABLES {
        let probe = format!("select 1 as one from {table} limit 1");
        if let Err(error) = tx.execute_unprepared(&probe).await {
            let message =
                format!("that is not a database of the service before: it has no table {table}; check the URL");
            return Err(Error::new(Reason::InvalidArgument, message).because(error));
        }
    }
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Pair { one, other } in rows::<Pair>(&tx, MEMBERS).await? {
        members.entry(one).or_default().extend(other);
    }
    let mut user_groups: Vec<LegacyUserGroup> = Vec::new();
    for Pair { one: name, other: provider } in rows::<Pair>(&tx, GROUPS).await? {
        match user_groups.last_mut().filter(|last| last.name == name) {
            Some(last) => last.providers.extend(provider),
            None => user_groups.push(LegacyUserGroup { name, providers: provider.into_iter().collect() }),
        }
    }
    let users = rows::<User>(&tx, USERS).await?;
    let users = users.into_iter().map(|row| {
        let user_groups = members.remove(&row.username).unwrap_or_default();
        user(row, user_groups)
    });
    let users = users.collect();
    let shepherds = rows::<Shepherd>(&tx, SHEPHERDS).await?;
    let shepherds = shepherds.into_iter().map(|row| LegacyShepherd {
        group: row.template_group,
        user_group: row.user_group,
        preconfigured: number(row.preconfigured),
        unconfigured: number(row.unconfigured),
    });
    let shepherds = shepherds.collect();
    let counts = rows::<Count>(&tx, COUNTS).await?.pop();
    let counts = counts.ok_or_else(|| Error::internal("counting gave no row"))?;
    let count = |n: i64| n.unsigned_abs();
    Ok(LegacyService {
        users,
        user_groups,
        shepherds,
        pools: count(counts.pools),
        appliances: count(counts.appliances),
        bug_queries: count(counts.bug_queries),
    })
}

fn user(row: User, user_groups: Vec<String>) -> LegacyUser {
    let limit = |n: Option<i64>| n.map(number);
    LegacyUser {
        role: role(row.is_superuser == 1, row.is_staff == 1, &row.last_name),
        name: row.username,
        password_hash: row.password,
        disabled: row.is_active == 0,
        can_override_hardware: row.can_modify_hw == 1,
        user_groups,
        quota: Quota {
            appliances_per_pool: limit(row.per_pool),
            pools: limit(row.pools),
            appliances: limit(row.appliances),
            ..Quota::default()
        },
    }
}

/// Counts there are never negative; nor too large to be counted here.
fn number(n: i64) -> u32 {
    u32::try_from(n.max(0)).unwrap_or(u32::MAX)
}

async fn rows<T: FromQueryResult>(tx: &DatabaseTransaction, sql: &str) -> Result<Vec<T>> {
    let rows = tx.query_all_raw(Statement::from_string(tx.get_database_backend(), sql)).await.map_err(from_db)?;
    rows.iter().map(|row| T::from_query_result(row, "").map_err(from_db)).collect()
}
