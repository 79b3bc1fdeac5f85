//! Giving tasks to workers, within what their providers can take.
//!
//! A first clone (one never given out) needs a slot of its provider. Who wants to give some out locks the provider first, so that
//! no other replica counts the same slots; only then are they looked at. All other tasks are taken from the heads of the queues of their providers,
//! past those that another transaction is about to take; tasks of providers that nobody here serves are not even looked at. A clone that is repeated has its slot already.
//!
//! One look, one match with those who have room, one write: for all workers of a process together.

use std::collections::BTreeMap;

use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Claim, Claimed};
use sprout_domain::{
    ProviderKey, Result,
    dispatch::{self, Demand},
    lease,
    workflow::{Lane, StepKind},
};

use crate::{
    convert::{lane, variant},
    entities::task::Model,
    room::TAKEN,
    task::Column,
    tx::{Clauses, SeaTx},
    workflow::tasks,
};

/// First clones that may be given out, as the partial index has them.
const FIRST_CLONE: &str = "state in ('ready', 'retrying') and step = 'clone' and epoch = 0";
/// All other tasks that may be given out.
const OTHER: &str = "state in ('ready', 'retrying') and (step <> 'clone' or epoch > 0)";
/// Workflows whose first step is given out for the first time are running.
const BEGIN: &str = "update workflows set state = 'running' where state = 'pending'";
/// Of several providers, tasks are looked for so many times deeper than there is room: others may be about to take those at the head.
const DEEPER: i64 = 4;
/// The lane of a row that names a provider on which a first clone waits.
const NO_LANE: i16 = -1;

/// A task's place in the order in which tasks are given out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromQueryResult)]
struct Place {
    lane: i16,
    priority: i16,
    turn: i64,
    id: i64,
    provider: String,
    step: String,
}

/// What a provider has room for.
#[expect(clippy::struct_field_names, reason = "columns")]
#[derive(FromQueryResult)]
struct Slots {
    key: String,
    slots: i64,
    /// MiB; none: no limit.
    free_memory: Option<i64>,
    free_cpus: Option<i64>,
    /// See [`SeaTx::sum_up_room`].
    changes: i64,
    /// Of the slots, those that may prepare templates.
    configuring: i64,
}

/// What an appliance takes whose first clone may be given out.
#[derive(FromQueryResult)]
struct Taken {
    id: i64,
    room_memory_mib: i64,
    room_cpus: i64,
}

impl Slots {
    /// Whether what would be free is enough; then it is taken.
    fn take(&mut self, taken: &Taken) -> bool {
        let left = |free: Option<i64>, wanted: i64| free.map(|free| free - wanted);
        let (memory, cpus) = (left(self.free_memory, taken.room_memory_mib), left(self.free_cpus, taken.room_cpus));
        let fits = [memory, cpus].into_iter().flatten().all(|left| left >= 0);
        if fits {
            (self.free_memory, self.free_cpus) = (memory, cpus);
        }
        fits
    }
}

impl SeaTx {
    /// See [`sprout_app::ports::TaskRows::claim_tasks`].
    pub(crate) async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        let demands = dispatch::demand(&claim.servers);
        if demands.is_empty() || claim.limit == 0 {
            return Ok(Claimed::default());
        }
        let (waiting, mut places): (Vec<_>, Vec<_>) =
            self.look(&demands, claim.limit).await?.into_iter().partition(|place| place.lane == NO_LANE);
        let others = places.len();
        if let Some(demand) = demands.iter().find(|demand| demand.is_for(Lane::Provision)) {
            let keys = waiting.into_iter().map(|place| place.provider).collect();
            places.extend(self.first_clones(keys, demand.room.min(claim.limit)).await?);
        }
        places.sort_unstable();
        let wanted: Vec<_> = places
            .iter()
            .map(|place| Ok((lane(place.lane)?, ProviderKey(place.provider.clone()))))
            .collect::<Result<_>>()?;
        let mut servers = claim.servers.clone();
        let most = usize::try_from(claim.limit).unwrap_or(usize::MAX);
        let chosen = dispatch::spread(wanted.iter().map(|(lane, provider)| (*lane, provider)), &mut servers);
        let given: Vec<_> = places.iter().zip(chosen).filter_map(|(place, to)| Some((place, to?))).take(most).collect();
        let passed_over = given.len() < others;
        if given.is_empty() {
            return Ok(Claimed { tasks: Vec::new(), passed_over });
        }
        let (mut ids, mut holders, mut limits) = (Vec::new(), Vec::new(), Vec::new());
        for (place, server) in given {
            let limit = variant::<StepKind>(&place.step)?.policy().progress_limit;
            ids.push(place.id);
            holders.push(servers[server].id.0.clone());
            limits.push(self.moment(lease::end(self.now, limit)));
        }
        let (given, mut values) = self.table(
            2,
            vec![
                ("task", Column::Numbers(ids)),
                ("holder", Column::Texts(holders)),
                ("heard_by", Column::Texts(limits)),
            ],
        );
        let update = format!(
            "update tasks set {} from ({given}) as given where id = task and state in ('ready', 'retrying') returning *",
            self.begins()
        );
        values.insert(0, self.time(self.now));
        let mut claimed: Vec<Model> = if self.on_postgres() {
            // In one go; the second part sees what the first returns, and would not see what it wrote.
            let sql = format!(
                "with claimed as ({update}),
                      begun as ({BEGIN} and id in (select workflow_id from claimed where position = 0 and epoch = 1))
                 select * from claimed"
            );
            self.rows(&sql, values).await?
        } else {
            let claimed: Vec<Model> = self.rows(&update, values).await?;
            let first = claimed.iter().filter(|task| task.position == 0 && task.epoch == 1);
            let begin = format!("{BEGIN} and id {}", self.among(1));
            self.run(&begin, [self.numbers(first.map(|task| task.workflow_id))]).await?;
            claimed
        };
        claimed.sort_by_key(|row| (row.lane, row.priority, row.turn, row.id));
        Ok(Claimed { tasks: tasks(claimed)?, passed_over })
    }

    /// Due tasks but first clones from the head of the queue, locked; and, told by their lane, providers on which first clones wait.
    async fn look(&self, demands: &[Demand], most: u32) -> Result<Vec<Place>> {
        let (sql, values) = self.heads(demands, most);
        self.rows(&sql, values).await
    }

    /// What [`Self::look`] asks.
    fn heads(&self, demands: &[Demand], most: u32) -> (String, Vec<Value>) {
        let mut values = Clauses::default();
        let now = values.parameter(self.time(self.now));
        let mut parts = Vec::new();
        for demand in demands {
            let (first, last) = demand.lanes;
            // Neighbouring lanes of a provider are a range of the index, which is read in its order.
            let due = format!("{OTHER} and lane between {} and {} and due_at <= {now}", first as i16, last as i16);
            parts.push(self.head(demand, &due, demand.room.min(most), &mut values));
            if (first..=last).contains(&Lane::Provision) {
                let keys = values.parameter_of(self.texts(demand.providers.iter().map(|key| &*key.0)));
                parts.push(format!(
                    "select cast({NO_LANE} as smallint), cast(0 as smallint), cast(0 as bigint), cast(0 as bigint), p.key, '' from providers p
                     where p.key {} and exists (select 1 from tasks where {FIRST_CLONE} and provider = p.key)",
                    self.among(keys)
                ));
            }
        }
        (parts.join(" union all "), values.values)
    }

    /// The head of what is due of some lanes. Of several providers the heads of each are merged, and of those as many are locked as are wanted.
    fn head(&self, demand: &Demand, due: &str, room: u32, values: &mut Clauses) -> String {
        let order = "order by lane, priority, turn, id";
        let limit = i64::from(room);
        let mut keys = demand.providers.iter().map(|key| &*key.0);
        if let (Some(only), None) = (keys.next(), keys.next()) {
            let (key, limit) = (values.parameter(only), values.parameter(limit));
            return format!(
                "select * from (select lane, priority, turn, id, provider, step from tasks
                                where {due} and provider = {key} {order} limit {limit}{}) as head",
                self.locked_skipping(),
            );
        }
        let keys = values.parameter_of(self.texts(demand.providers.iter().map(|key| &*key.0)));
        let columns = "t.lane, t.priority, t.turn, t.id, t.provider, t.step";
        let mine = |key: &str, limit: &str| {
            format!("select id, lane, priority, turn from tasks where {due} and provider = {key} {order} limit {limit}")
        };
        let limit_of_all = values.parameter(limit);
        let ordered = "order by t.lane, t.priority, t.turn, t.id";
        if self.on_postgres() {
            let limit_of_each = values.parameter(limit * DEEPER);
            format!(
                "select * from (select {columns} from unnest(${keys}::text[]) as served (key)
                                cross join lateral ({}) as mine join tasks t on t.id = mine.id
                                where t.state in ('ready', 'retrying') {ordered} limit {limit_of_all}
                                for no key update of t skip locked) as head",
                mine("served.key", &limit_of_each),
            )
        } else {
            format!(
                "select * from (select {columns} from json_each(${keys}) as served
                                join tasks t on t.id in (select id from ({})) {ordered} limit {limit_of_all}) as head",
                mine("served.value", &limit_of_all),
            )
        }
    }

    /// First clones that have a slot, at most `most` of each of these providers.
    async fn first_clones(&self, providers: Vec<String>, most: u32) -> Result<Vec<Place>> {
        let slots = self.slots(providers).await?;
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        for Slots { key, changes, .. } in &slots {
            self.sum_up_room(key, *changes).await?;
        }
        let mut values = Clauses::default();
        let now = values.parameter(self.time(self.now));
        let mut heads = Vec::new();
        for Slots { key, slots, configuring, .. } in &slots {
            // What becomes templates has slots of its own within those that there are, and goes last.
            for (which, room) in [("<>", *slots), ("=", (*configuring).min(*slots))] {
                if room <= 0 {
                    continue;
                }
                let room = values.parameter(room.min(i64::from(most)));
                let key = values.parameter(key.as_str());
                heads.push(format!(
                    "select * from (select lane, priority, turn, id, provider, step from tasks
                                    where {FIRST_CLONE} and provider = {key} and due_at <= {now} and lane {which} {}
                                    order by priority, turn, id limit {room}{}) as head",
                    Lane::Prepare as i16,
                    // One that is about to be killed is not waited for, with everything else locked that is given out here.
                    self.locked_skipping(),
                ));
            }
        }
        let places = within_slots(self.rows(&heads.join(" union all "), values.values).await?, &slots);
        self.within_capacity(places, slots).await
    }

    /// Those of these first clones whose memory and CPUs are free on their provider. One that does not fit lets smaller ones pass, which were
    /// placed with what it takes counted already.
    async fn within_capacity(&self, mut places: Vec<Place>, mut slots: Vec<Slots>) -> Result<Vec<Place>> {
        slots.retain(|slots| slots.free_memory.is_some() || slots.free_cpus.is_some());
        let limited = |place: &&Place| slots.iter().any(|slots| slots.key == place.provider);
        let ids: Vec<_> = places.iter().filter(limited).map(|place| place.id).collect();
        if ids.is_empty() {
            return Ok(places);
        }
        let sql = format!(
            "select t.id, a.room_memory_mib, a.room_cpus from tasks t join appliances a on a.id = t.appliance_id where t.id {}",
            self.among(1)
        );
        let taken: Vec<Taken> = self.rows(&sql, [self.numbers(ids)]).await?;
        let taken: BTreeMap<_, _> = taken.into_iter().map(|taken| (taken.id, taken)).collect();
        places.sort_unstable();
        places.retain(|place| match slots.iter_mut().find(|slots| slots.key == place.provider) {
            Some(slots) => taken.get(&place.id).is_some_and(|taken| slots.take(taken)),
            None => true,
        });
        Ok(places)
    }

    /// Free slots of these providers, those without any left out: none while a circuit is open, one while it is half open. Locks them.
    async fn slots(&self, mut providers: Vec<String>) -> Result<Vec<Slots>> {
        #[derive(FromQueryResult)]
        struct Locked {
            key: String,
        }
        if providers.is_empty() {
            return Ok(Vec::new());
        }
        if self.on_postgres() {
            let sql = "select key from providers where key = any($1) order by key for no key update";
            let locked: Vec<Locked> = self.rows(sql, [self.texts(providers.iter().map(|key| &**key))]).await?;
            providers = locked.into_iter().map(|row| row.key).collect();
        }
        // A statement of its own: what it waited for may have taken slots.
        let sql = format!(
            "select key, case when room < slots then room else slots end as slots, free_memory, free_cpus, changes, configuring
             from (select p.key,
                          case when p.circuit = 'closed' then p.provisioning_limit
                               when p.circuit = 'half_open' and p.circuit_next_try_at is null then 1 else 0 end
                              - (select count(*) from appliances a where a.provider = p.key
                                     and a.state in ('cloning', 'starting', 'preparing')
                                     and not (a.state = 'preparing' and a.prepares is not null)) as slots,
                          p.configuring_limit - (select count(*) from appliances a where a.provider = p.key
                                     and a.prepares is not null and a.state in ('cloning', 'starting', 'preparing')) as configuring,
                          coalesce(p.appliance_limit - coalesce(t.begun_appliances, 0), p.provisioning_limit) as room,
                          p.memory_limit_mib - coalesce(t.begun_memory_mib, 0) as free_memory,
                          p.cpu_limit - coalesce(t.begun_cpus, 0) as free_cpus,
                          coalesce(t.changes, 0) as changes
                   from providers p left join ({TAKEN} where provider {among} group by provider) t on t.provider = p.key
                   where p.key {among}) free
             where slots > 0 and room > 0",
            among = self.among(1)
        );
        self.rows(&sql, [self.texts(providers.iter().map(|key| &**key))]).await
    }
}

/// No more of each provider than it has slots, those first that go first.
fn within_slots(mut places: Vec<Place>, slots: &[Slots]) -> Vec<Place> {
    places.sort_unstable();
    let mut left: BTreeMap<&str, i64> = slots.iter().map(|slots| (&*slots.key, slots.slots)).collect();
    places.retain(|place| {
        left.get_mut(&*place.provider).is_some_and(|left| {
            *left -= 1;
            *left >= 0
        })
    });
    places
}

#[cfg(test)]
mod tests {
    use sprout_app::ports::{NewWorkflow, ProviderRows as _, WorkflowRows as _};
    use sprout_domain::{
        dispatch::Server,
        provider::{ProviderSettings, ProviderSpec},
        worker::Slots,
        workflow::{Subject, WorkflowKind},
    };
    use sprout_test_support::{database::TestDatabase, on_each_database};

    use super::*;
    use crate::{SeaStore, StoreOptions};

    on_each_database!(tasks_that_nobody_serves_cost_nothing);

    const WAITING: usize = 5_000;

    fn provider(key: &str) -> ProviderSpec {
        ProviderSpec {
            key: key.into(),
            name: key.to_owned(),
            provisioning_limit: 1,
            appliance_limit: None,
            memory_limit_mib: None,
            cpu_limit: None,
            circuit_failures: 5,
            configuring_limit: 1,
            template_name_limit: None,
            container_base_template: None,
            disabled: false,
            settings: ProviderSettings::Container {
                socket: String::new(),
                publish_address: String::new(),
                memory_mib: 0,
                cpus: 0,
            },
        }
    }

    /// How many rows of tasks this transaction has read; on SQLite, how they are found.
    async fn read(tx: &SeaTx, servers: &[Server]) -> Result<(i64, Vec<String>)> {
        #[derive(FromQueryResult)]
        struct Number {
            number: i64,
        }
        #[derive(FromQueryResult)]
        struct Plan {
            detail: String,
        }
        if tx.on_postgres() {
            let sql = "select coalesce(idx_tup_fetch + seq_tup_read, 0) as number from pg_stat_xact_user_tables where relname = 'tasks'";
            return Ok((tx.row::<Number>(sql, []).await?.map_or(0, |row| row.number), Vec::new()));
        }
        let (sql, values) = tx.heads(&dispatch::demand(servers), 10);
        let plan: Vec<Plan> = tx.rows(&format!("explain query plan {sql}"), values).await?;
        Ok((0, plan.into_iter().map(|row| row.detail).collect()))
    }

    async fn tasks_that_nobody_serves_cost_nothing(db: TestDatabase) -> anyhow::Result<()> {
        let options = StoreOptions::new(sprout_domain::Secret::new(db.url()));
        let store = SeaStore::open(&options).await?;
        let mut tx = store.begin(true).await?;
        tx.sync_providers(&["dead", "p", "q"].map(provider)).await?;
        let ping = |key: &str| NewWorkflow::new(WorkflowKind::Ping, Subject::Nothing, Some(key.into()));
        for (key, count) in [("dead", WAITING), ("p", 20), ("q", 20)] {
            tx.insert_workflows(vec![ping(key); count]).await?;
        }
        sprout_app::ports::Tx::commit(Box::new(tx)).await?;
        for served in [&["p"][..], &["p", "q"]] {
            let tx = store.begin(true).await?;
            let room = Slots { shared: 10, ..Slots::default() };
            let providers = served.iter().map(|key| (*key).into()).collect();
            let servers = vec![Server { id: "w".into(), providers, room }];
            let given = tx.claim(&Claim { servers: servers.clone(), limit: 10 }).await?.tasks;
            assert!(given.len() == 10 && given.iter().all(|task| served.contains(&&*task.provider.0)), "{given:?}");
            let (rows, plan) = read(&tx, &servers).await?;
            assert!(rows < 300, "{rows} rows were read to find 10 of {served:?}");
            let scans = |detail: &&String| detail.contains("tasks") && detail.starts_with("SCAN");
            assert_eq!(plan.iter().find(scans), None, "{plan:?}");
            let by_provider = |detail: &String| detail.contains("tasks_due (provider=? AND lane>?");
            assert!(tx.on_postgres() || plan.iter().any(by_provider), "{plan:?}");
        }
        store.close().await;
        Ok(())
    }
}
