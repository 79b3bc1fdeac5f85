//! Thousands of appliances without deploying each: one is deployed by the engine (with the puppet for a worker), and its rows are copied by SQL, so
//! that the copies are like engine-made ones whatever columns there are. A checkout touches no provider, so none needs to back them.
//! Rows are written behind the server's back, so it is stopped meanwhile.
//!
//! A shepherd wants all that are warm, and more, so that none is surplus and killed; and their provider is full, so that none is made while they are
//! handed out. What is measured is therefore all that happens: each checkout wakes the refill, which looks, and finds no room.

use anyhow::{Context as _, Result, ensure};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseBackend, DatabaseConnection, Statement};
use sprout_client::proto::{
    pool::{PoolState, RequestPoolRequest, WatchPoolRequest},
    provider::{CheckProviderRequest, GetProviderRequest},
};

use crate::installation::{GROUP, Installation};

/// What the shepherd wants: more than there ever are.
const WANTED: u32 = 1_000_000;

/// What to copy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seed {
    /// Ready appliances of no pool.
    pub(crate) warm: u32,
    /// Ready appliances, each of a ready pool of its own, leased for half a day.
    pub(crate) leased: u32,
}

impl Installation {
    /// Has the provider checked, and waits until it works.
    pub(crate) async fn check_provider(&self) -> Result<()> {
        let client = self.connect().await?;
        let check = CheckProviderRequest { key: "bench".into() };
        client.providers().check_provider(check).await?;
        for _ in 0..400 {
            let get = GetProviderRequest { key: "bench".into() };
            let provider = client.providers().get_provider(get).await?.into_inner().provider.context("a provider")?;
            if provider.working && provider.template_count > 0 {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        anyhow::bail!("the provider was never found to work: {}", self.log("server"))
    }

    /// Deploys one appliance through the engine.
    pub(crate) async fn deploy_one(&self) -> Result<()> {
        let puppet = self.puppet().await?;
        self.check_provider().await?;
        let client = self.connect().await?;
        let pool = client.pools().request_pool(request(1)).await?.into_inner().pool.context("a pool")?;
        let mut watch = client.pools().watch_pool(WatchPoolRequest { id: pool.id }).await?.into_inner();
        loop {
            let seen = watch.message().await?.context("the watch ended")?.pool.context("a pool")?;
            ensure!(seen.state() != PoolState::Failed, "the first appliance was not deployed: {}", seen.status);
            if seen.state() == PoolState::Ready {
                break;
            }
        }
        drop(puppet);
        Ok(())
    }

    /// Adds copies of the oldest appliance.
    pub(crate) async fn seed(&mut self, seed: Seed) -> Result<()> {
        self.stop_server().await?;
        let database = open(self.database.url()).await?;
        copy(&database, seed).await?;
        shepherd(&database).await?;
        sum_up_room(&database).await?;
        // What autovacuum does within minutes.
        let vacuum =
            if database.get_database_backend() == DatabaseBackend::Postgres { "vacuum analyze" } else { "analyze" };
        database.execute_unprepared(vacuum).await?;
        // Its job is to find out that no provider has the copies.
        database.execute_unprepared("update jobs set paused = true where name = 'refresh'").await?;
        database.close().await?;
        self.start_server().await
    }
}

/// A request of its own.
pub(crate) fn request(count: u32) -> RequestPoolRequest {
    let request_id = uuid::Uuid::new_v4().to_string();
    RequestPoolRequest { request_id, group: GROUP.into(), count, ..RequestPoolRequest::default() }
}

/// One connection to the database itself.
pub(crate) async fn open(url: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

async fn copy(database: &DatabaseConnection, seed: Seed) -> Result<()> {
    let one = |sql: &str| Statement::from_string(database.get_database_backend(), sql);
    let known = database.query_one_raw(one("select coalesce(max(id), 0) as newest from appliances")).await?;
    let newest: i64 = known.context("a row")?.try_get("", "newest")?;
    let appliance = columns(database, "appliances").await?;
    let pool = columns(database, "pools").await?;
    let count = |n| format!("with recursive n (i) as (select 1 union all select i + 1 from n where i < {n})");
    let list = |columns: &[String], with: &dyn Fn(&str) -> String| {
        columns.iter().map(|c| with(c)).collect::<Vec<_>>().join(", ")
    };
    let same = |column: &str| column.to_owned();

    if seed.warm > 0 {
        let value = |column: &str| match column {
            "name" => format!("'warm-' || ({newest} + i)"),
            "pool_id" | "leased_at" | "leased_until" | "remind_at" => "null".to_owned(),
            _ => format!("a.{column}"),
        };
        let (names, values) = (list(&appliance, &same), list(&appliance, &value));
        let counted = count(seed.warm);
        let from = "from n, appliances a where a.id = (select min(id) from appliances)";
        database
            .execute_unprepared(&format!("insert into appliances ({names}) {counted} select {values} {from}"))
            .await?;
    }
    if seed.leased > 0 {
        let value = |column: &str| match column {
            "request_id" => format!("'leased-' || ({newest} + i)"),
            _ => format!("p.{column}"),
        };
        let (names, values) = (list(&pool, &same), list(&pool, &value));
        let counted = count(seed.leased);
        let from = "from n, pools p where p.id = (select min(id) from pools)";
        database.execute_unprepared(&format!("insert into pools ({names}) {counted} select {values} {from}")).await?;
        let value = |column: &str| match column {
            "name" => "p.request_id".to_owned(),
            "pool_id" => "p.id".to_owned(),
            _ => format!("a.{column}"),
        };
        let (names, values) = (list(&appliance, &same), list(&appliance, &value));
        let from =
            "from pools p, appliances a where p.request_id like 'leased-%' and a.id = (select min(id) from appliances)
                    and p.id > coalesce((select max(pool_id) from appliances where name like 'leased-%'), 0)";
        database.execute_unprepared(&format!("insert into appliances ({names}) select {values} {from}")).await?;
    }
    let endpoint = columns(database, "appliance_endpoints").await?;
    let value = |column: &str| if column == "appliance_id" { "a.id".to_owned() } else { format!("e.{column}") };
    let (names, values) = (list(&endpoint, &same), list(&endpoint, &value));
    let from = format!(
        "from appliances a, appliance_endpoints e where a.id > {newest} and e.appliance_id = (select min(id) from appliances)"
    );
    database.execute_unprepared(&format!("insert into appliance_endpoints ({names}) select {values} {from}")).await?;
    Ok(())
}

/// Wants whatever is warm, for everyone.
async fn shepherd(database: &DatabaseConnection) -> Result<()> {
    let sql = format!(
        "insert into shepherds (group_name, preconfigured, unconfigured)
         select '{GROUP}', {WANTED}, 0 where not exists (select 1 from shepherds where group_name = '{GROUP}')"
    );
    database.execute_unprepared(&sql).await?;
    Ok(())
}

/// What the copies take is counted by triggers, a row for each. Where appliances are deployed, the server replaces many such rows by their sum.
async fn sum_up_room(database: &DatabaseConnection) -> Result<()> {
    let newest = "select coalesce(max(id), 0) as newest from room_changes";
    let known = database.query_one_raw(Statement::from_string(database.get_database_backend(), newest)).await?;
    let newest: i64 = known.context("a row")?.try_get("", "newest")?;
    let sum = format!(
        "insert into room_changes (provider, begun, appliances, memory_mib, cpus)
         select provider, begun, sum(appliances), sum(memory_mib), sum(cpus) from room_changes where id <= {newest} group by provider, begun"
    );
    database.execute_unprepared(&sum).await?;
    database.execute_unprepared(&format!("delete from room_changes where id <= {newest}")).await?;
    Ok(())
}

/// The columns of a table that has rows, but for the number that each row gets by itself.
async fn columns(database: &DatabaseConnection, table: &str) -> Result<Vec<String>> {
    let select = Statement::from_string(database.get_database_backend(), format!("select * from {table} limit 1"));
    let row = database.query_one_raw(select).await?.with_context(|| format!("a row in {table}"))?;
    let all = row.column_names();
    Ok(all.into_iter().filter(|name| name != "id").collect())
}
