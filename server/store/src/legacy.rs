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
const TABLES: [&str; 12] = [
    "auth_user",
    "auth_group",
    "auth_user_groups",
    "auth_permission",
    "auth_group_permissions",
    "auth_user_user_permissions",
    "appliances_groupshepherd",
    "appliances_userappliancequota",
    "appliances_provider_user_groups",
    "appliances_appliancepool",
    "appliances_appliance",
    "appliances_bugquery",
];

#[derive(FromQueryResult)]
struct User {
    id: i64,
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

/// Two of which one belongs to the other.
#[derive(FromQueryResult)]
struct Pair {
    id: i64,
    name: String,
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

// Old databases hold what their constraints forbid: nulls, several quotas of one user, references to what is gone.
const USERS: &str = "select cast(u.id as bigint) as id, cast(coalesce(u.username, '') as text) as username,
    cast(coalesce(u.password, '') as text) as password, cast(coalesce(u.last_name, '') as text) as last_name,
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
    from auth_user u left join (
        select user_id, min(per_pool_quota) as per_pool_quota, min(total_pool_quota) as total_pool_quota, min(total_vm_quota) as total_vm_quota
        from appliances_userappliancequota group by user_id
    ) q on q.user_id = u.id order by u.id";

const MEMBERS: &str = "select cast(m.user_id as bigint) as id, cast('' as text) as name, cast(g.name as text) as other
    from auth_user_groups m join auth_group g on g.id = m.group_id order by m.id";

const GROUPS: &str = "select cast(g.id as bigint) as id, cast(coalesce(g.name, '') as text) as name, cast(p.provider_id as text) as other
    from auth_group g left join appliances_provider_user_groups p on p.group_id = g.id order by g.id, p.provider_id";

const SHEPHERDS: &str = "select cast(coalesce(s.template_group_id, '') as text) as template_group,
    cast(coalesce(g.name, 'with the id ' || coalesce(cast(s.user_group_id as text), 'null')) as text) as user_group,
    cast(coalesce(s.template_pool_size, 0) as bigint) as preconfigured, cast(coalesce(s.unconfigured_template_pool_size, 0) as bigint) as unconfigured
    from appliances_groupshepherd s left join auth_group g on g.id = s.user_group_id order by s.id";

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
    let mut members: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for Pair { id, other, .. } in rows::<Pair>(&tx, MEMBERS).await? {
        members.entry(id).or_default().extend(other);
    }
    let mut user_groups: Vec<(i64, LegacyUserGroup)> = Vec::new();
    for Pair { id, name, other: provider } in rows::<Pair>(&tx, GROUPS).await? {
        match user_groups.last_mut().filter(|(last, _)| *last == id) {
            Some((_, last)) => last.providers.extend(provider),
            None => user_groups.push((id, LegacyUserGroup { name, providers: provider.into_iter().collect() })),
        }
    }
    let user_groups = user_groups.into_iter().map(|(_, group)| group).collect();
    let users = rows::<User>(&tx, USERS).await?;
    let users = users.into_iter().map(|row| {
        let user_groups = members.remove(&row.id).unwrap_or_default();
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
