//! Giving tasks to workers, within what their providers can take.
//!
//! A first clone (one never given out) needs a slot of its provider. Who wants to give some out locks the provider first, so that
//! no other replica counts the same slots; only then are they looked at. All other tasks are taken from the head of the queue,
//! past those that another transaction is about to take. A clone that is repeated has its slot already.

use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::Claim;
use sprout_domain::{Result, workflow::Task};

use crate::{
    convert::limit,
    entities::task::Model,
    tx::{Clauses, SeaTx},
    workflow::tasks,
};

/// First clones that may be given out, as the partial index has them.
const FIRST_CLONE: &str = "state in ('ready', 'retrying') and step = 'clone' and epoch = 0";
/// All other tasks that may be given out.
const OTHER: &str = "state in ('ready', 'retrying') and (step <> 'clone' or epoch > 0)";

/// A task's place in the order in which tasks are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, FromQueryResult)]
struct Place {
    lane: i16,
    priority: i16,
    id: i64,
}

/// What a provider has room for.
#[derive(FromQueryResult)]
struct Slots {
    key: String,
    slots: i64,
}

impl SeaTx {
    /// See [`sprout_app::ports::WorkflowRows::claim_tasks`].
    pub(crate) async fn claim(&self, claim: &Claim) -> Result<Vec<Task>> {
        if claim.limit == 0 || claim.providers.is_empty() {
            return Ok(Vec::new());
        }
        let most = usize::try_from(claim.limit).unwrap_or(usize::MAX);
        let mut chosen = self.first_clones(claim).await?;
        chosen.sort_unstable();
        chosen.truncate(most);
        // Others lock what they look at, so first those that are chosen whatever the clones, then those that go before a clone.
        let clones = chosen.len();
        let last_clone = chosen.last().copied();
        chosen.extend(self.others(claim, most - clones, None).await?);
        if let Some(last_clone) = last_clone
            && chosen.len() == most
        {
            let after = chosen[clones..].iter().max().copied();
            chosen.extend(self.others_between(claim, clones, after, last_clone).await?);
        }
        chosen.sort_unstable();
        chosen.truncate(most);
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "update tasks set state = 'running', worker = $1, epoch = epoch + 1, attempt = attempt + 1
             where state in ('ready', 'retrying') and id {} returning *",
            self.among(2)
        );
        let values = [claim.worker.0.as_str().into(), self.numbers(chosen.iter().map(|place| place.id))];
        let mut claimed: Vec<Model> = self.rows(&sql, values).await?;
        claimed.sort_by_key(|row| (row.lane, row.priority, row.id));
        tasks(claimed)
    }

    /// First clones that have a slot, at most `claim.limit` of each provider.
    async fn first_clones(&self, claim: &Claim) -> Result<Vec<Place>> {
        let slots = self.slots(claim).await?;
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = Clauses::default();
        let now = values.parameter(self.time(self.now));
        let heads: Vec<String> = slots
            .into_iter()
            .map(|Slots { key, slots }| {
                let (key, slots) = (values.parameter(key), values.parameter(slots.min(limit(claim.limit))));
                format!(
                    "select * from (select lane, priority, id from tasks where {FIRST_CLONE} and provider = {key} and due_at <= {now}
                                    order by priority, id limit {slots}) head"
                )
            })
            .collect();
        self.rows(&heads.join(" union all "), values.values).await
    }

    /// Free slots of the providers that have first clones to give out, those without any left out. Locks these providers.
    async fn slots(&self, claim: &Claim) -> Result<Vec<Slots>> {
        #[derive(FromQueryResult)]
        struct Locked {
            key: String,
        }
        let lock = if self.on_postgres() { "for no key update of p" } else { "" };
        let sql = format!(
            "select p.key from providers p
             where p.key {} and exists (select 1 from tasks where {FIRST_CLONE} and provider = p.key) order by p.key {lock}",
            self.among(1)
        );
        let locked: Vec<Locked> = self.rows(&sql, [self.texts(claim.providers.iter().map(|key| &*key.0))]).await?;
        if locked.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "select key, case when room < slots then room else slots end as slots
             from (select p.key,
                          p.provisioning_limit - (select count(*) from appliances a where a.provider = p.key
                              and a.state in ('cloning', 'starting', 'preparing')) as slots,
                          case when p.appliance_limit is null then p.provisioning_limit else
                              p.appliance_limit - (select count(*) from appliances a where a.provider = p.key
                                  and a.state <> 'gone' and a.state <> 'requested') end as room
                   from providers p where p.key {}) free
             where slots > 0 and room > 0",
            self.among(1)
        );
        self.rows(&sql, [self.texts(locked.iter().map(|row| &*row.key))]).await
    }

    /// Due tasks but first clones from the head of the queue, locked.
    async fn others(&self, claim: &Claim, most: usize, between: Option<(Place, Place)>) -> Result<Vec<Place>> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut conditions = Clauses::default();
        conditions.plain(OTHER);
        conditions.add("due_at <= ?", self.time(self.now));
        conditions.among(self, "provider", self.texts(claim.providers.iter().map(|key| &*key.0)));
        if let Some((after, before)) = between {
            let after = place(&mut conditions, after);
            let before = place(&mut conditions, before);
            conditions.plain(format!("(lane, priority, id) > {after} and (lane, priority, id) < {before}"));
        }
        let most = conditions.parameter(i64::try_from(most).unwrap_or(i64::MAX));
        let sql = format!(
            "select lane, priority, id from tasks where {} order by lane, priority, id limit {most}{}",
            conditions.conditions(),
            self.locked_skipping()
        );
        self.rows(&sql, conditions.values).await
    }

    async fn others_between(
        &self,
        claim: &Claim,
        most: usize,
        after: Option<Place>,
        before: Place,
    ) -> Result<Vec<Place>> {
        let after = after.unwrap_or(Place { lane: -1, priority: 0, id: 0 });
        if after >= before { Ok(Vec::new()) } else { self.others(claim, most, Some((after, before))).await }
    }
}

/// A place as a row value of parameters.
fn place(conditions: &mut Clauses, place: Place) -> String {
    let Place { lane, priority, id } = place;
    let values: [Value; 3] = [lane.into(), priority.into(), id.into()];
    format!("({})", values.map(|value| conditions.parameter(value)).join(", "))
}
