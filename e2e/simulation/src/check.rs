//! What must hold: after each commit, and when all is quiet.

use std::{collections::BTreeSet, sync::Arc};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbErr, Statement, TryGetable};

use crate::{provider::Provider, world::World};

/// A look at the database beside the servers, which costs the simulation no time.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) database: DatabaseConnection,
}

/// Deployments that take a slot, as the servers count them, on providers that have more than they may.
/// A warm appliance that proves once more that it is ready is preparing, too, and deploys nothing.
const OVER_LIMIT: &str = "select p.key from providers p where p.provisioning_limit <
     (select count(*) from appliances a where a.provider = p.key and a.state in ('cloning', 'starting', 'preparing')
      and not exists (select 1 from workflows w where w.appliance_id = a.id and w.kind = 'prove' and w.state in ('pending', 'running')))";

/// What may not be there when all is quiet, with how it is called.
const UNQUIET: &[(&str, &str)] = &[
    (
        "workflow that never ended",
        "select kind || ' ' || id || ' ' || state from workflows where state in ('pending', 'running') and kind in ('deploy', 'kill')",
    ),
    (
        "task that never ended",
        "select t.step || ' ' || t.id || ' ' || t.state from tasks t join workflows w on w.id = t.workflow_id
         where t.state not in ('done', 'failed', 'cancelled') and w.kind in ('deploy', 'kill')",
    ),
    (
        "pool that is neither ready nor ended",
        "select id || ' ' || state from pools where state not in ('ready', 'ended', 'failed')",
    ),
    ("appliance on its way", "select id || ' ' || state from appliances where state not in ('ready', 'gone')"),
];

/// What may never be there, with how it is called.
const NEVER: &[(&str, &str)] = &[
    (
        // One that nobody could use yet may go on for another, who waits.
        "appliance that was ready in two pools",
        "select appliance_id || ' was of ' || count(distinct pool_id) from events
         where appliance_id is not null and pool_id is not null and state = 'ready'
         group by appliance_id having count(distinct pool_id) > 1",
    ),
    (
        "step whose result was applied twice",
        "select workflow_id || ' ' || message from events where kind = 'step_done'
         group by workflow_id, message having count(*) > 1",
    ),
    ("pool that failed without a reason", "select 'pool ' || id from pools where state = 'failed' and status = ''"),
    (
        "pool that is ready with fewer than it wanted and no kill",
        "select 'pool ' || p.id from pools p where p.state = 'ready' and p.count >
             (select count(*) from appliances a where a.pool_id = p.id and a.ready_at is not null)
             and not exists (select 1 from appliances a join events e on e.appliance_id = a.id
                             where a.pool_id = p.id and e.state in ('killing', 'gone'))",
    ),
];

/// What may not be there after everything was killed.
const LEFT: &[(&str, &str)] = &[
    ("appliance", "select id || ' ' || state from appliances where state <> 'gone'"),
    ("pool", "select id || ' ' || state from pools where state not in ('ended', 'failed')"),
];

impl Watch {
    /// Looks at what must hold after every commit.
    pub(crate) fn look(&self, world: &World) {
        match world.beside(self.column::<String>(OVER_LIMIT)) {
            Ok(over) => over.iter().for_each(|key| world.violation(format!("more deployments on {key} than allowed"))),
            Err(error) => world.violation(format!("the database cannot be looked at: {error}")),
        }
    }

    /// What is still under way.
    pub(crate) async fn unquiet(&self) -> Result<Vec<String>, DbErr> {
        self.found(UNQUIET).await
    }

    /// Looks at everything that must hold when all is quiet.
    pub(crate) async fn inspect(
        &self,
        world: &World,
        providers: impl Iterator<Item = &Arc<Provider>> + Send,
    ) -> Result<(), DbErr> {
        self.found(NEVER).await?.into_iter().for_each(|what| world.violation(what));
        for provider in providers {
            let (known, there) = self.known_and_there(provider).await?;
            for name in there.difference(&known) {
                world.violation(format!("{name} was left behind on {}", provider.key));
            }
            for name in known.difference(&there) {
                // Machines that vanished by themselves are the provider's doing.
                if !provider.lost(name) {
                    world.violation(format!("{name} is not on {}", provider.key));
                }
            }
        }
        Ok(())
    }

    /// What carries our tag on providers and is no appliance: the janitor is to delete it.
    pub(crate) async fn left_behind(
        &self,
        providers: impl Iterator<Item = &Arc<Provider>> + Send,
    ) -> Result<Vec<String>, DbErr> {
        let mut left = Vec::new();
        for provider in providers {
            let (known, there) = self.known_and_there(provider).await?;
            left.extend(there.difference(&known).map(|name| format!("left behind on {}: {name}", provider.key)));
        }
        Ok(left)
    }

    /// Names of the appliances on a provider, as the database and as the provider has them.
    async fn known_and_there(&self, provider: &Provider) -> Result<(BTreeSet<String>, BTreeSet<String>), DbErr> {
        let installation = self.column::<String>("select installation_id from installation").await?.concat();
        let known = format!("select name from appliances where state <> 'gone' and provider = '{}'", provider.key);
        let known: BTreeSet<_> = self.column::<String>(&known).await?.into_iter().collect();
        Ok((known, provider.ours(&installation)))
    }

    /// What is there after everything was killed.
    pub(crate) async fn left(&self) -> Result<Vec<String>, DbErr> {
        self.found(LEFT).await
    }

    /// The first column of a query.
    pub(crate) async fn column<T: TryGetable>(&self, sql: &str) -> Result<Vec<T>, DbErr> {
        let statement = Statement::from_string(self.database.get_database_backend(), sql);
        let rows = self.database.query_all_raw(statement).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    }

    async fn found(&self, queries: &[(&str, &str)]) -> Result<Vec<String>, DbErr> {
        let mut found = Vec::new();
        for (called, sql) in queries {
            found.extend(self.column::<String>(sql).await?.into_iter().map(|what| format!("{called}: {what}")));
        }
        Ok(found)
    }
}
