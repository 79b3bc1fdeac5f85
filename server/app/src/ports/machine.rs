//! What refreshes find on providers, what they make of appliances, and rules about what is left over, as the store keeps them.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, GroupName, PoolId, ProviderKey, Result, Timestamp,
    machine::{
        Known, Listed, Machine, MachineKind,
        leftover::{Pattern, Rule},
        observe::{Observed, Resting},
    },
};

/// An appliance of a provider, as a refresh needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What is known of it.
    pub known: Known,
    /// Its group.
    pub group: GroupName,
    /// Its pool.
    pub pool: Option<PoolId>,
    /// What is judged.
    pub resting: Resting,
}

/// Which machines to list.
#[derive(Debug, Clone)]
pub struct MachineFilter {
    /// Where.
    pub provider: ProviderKey,
    /// Only of these kinds; empty: of all.
    pub kinds: Vec<MachineKind>,
}

/// A page of machines, by name.
#[derive(Debug, Clone, Default)]
pub struct MachinePage {
    /// Only names after this one.
    pub after: Option<String>,
    /// At most this many.
    pub limit: u64,
}

/// A rule to insert.
#[derive(Debug, Clone)]
pub struct NewRule {
    /// As in [`Rule`].
    pub pattern: Pattern,
    /// As in [`Rule`].
    pub min_age: Duration,
    /// As in [`Rule`].
    pub provider: Option<ProviderKey>,
    /// As in [`Rule`].
    pub created_by: String,
}

/// Machines, and rules about them.
#[async_trait]
pub trait MachineRows: Send {
    /// The appliances of a provider that are not gone; only these, if some are named. In as many statements as for one.
    async fn kept(&mut self, provider: &ProviderKey, only: Option<&[ApplianceId]>) -> Result<Vec<Kept>>;

    /// What is known of these appliances, whether they are gone and wherever they are, seen from this provider.
    async fn known(&mut self, provider: &ProviderKey, ids: &[ApplianceId]) -> Result<Vec<Known>>;

    /// The machine of this name, if the last refresh found one on the provider.
    async fn machine(&mut self, provider: &ProviderKey, name: &str) -> Result<Option<Machine>>;

    /// Appliances of a provider that are not gone, and are, or are about to be, called by one of these names: each name with its appliance.
    async fn called(&mut self, provider: &ProviderKey, names: &[String]) -> Result<BTreeMap<String, ApplianceId>>;

    /// All machines that the last refresh found on a provider.
    async fn machines_on(&mut self, provider: &ProviderKey) -> Result<Vec<Machine>>;

    /// Writes machines that are new or otherwise than before, and forgets those of the provider with these names that are not there any more.
    async fn put_machines(&mut self, provider: &ProviderKey, changed: &[Machine], absent: &[String]) -> Result<()>;

    /// When the listing began that each provider was last refreshed by.
    async fn refreshed(&mut self) -> Result<BTreeMap<ProviderKey, Option<Timestamp>>>;

    /// A provider was refreshed by a listing begun at this moment.
    async fn set_refreshed(&mut self, provider: &ProviderKey, began: Timestamp) -> Result<()>;

    /// Since when these appliances are missing; none: they are there.
    async fn set_missing(&mut self, ids: &[ApplianceId], since: Option<Timestamp>) -> Result<()>;

    /// Writes how appliances (locked) were seen, each with its status line, unless that stays. Whatever was missing is there, unless it is orphaned;
    /// one whose state changes has to prove again that it is ready, if it is to be handed out.
    async fn set_observed(&mut self, seen: &[(ApplianceId, Observed, Option<String>)]) -> Result<()>;

    /// Makes records of appliances that are there, and that the database never knew: with the number of their tag, of no pool and of a template that
    /// is never used, past their lease and held until then. Numbers given later are higher. Those whose number or name is taken are left out, and
    /// so are those whose number is so high that it was never given. Returns the others.
    async fn rebuild(
        &mut self,
        provider: &ProviderKey,
        lost: &[Listed],
        held_until: Timestamp,
        reason: &str,
    ) -> Result<Vec<ApplianceId>>;

    /// Machines that may have to go: leaks whose appliance is gone still, and others whose name nobody has. On one provider, or on all.
    async fn leftovers(&mut self, provider: Option<&ProviderKey>) -> Result<Vec<Machine>>;

    /// How many machines on each provider are, or carry the tag of, one of our appliances.
    async fn marked(&mut self) -> Result<BTreeMap<ProviderKey, usize>>;

    /// Leaks on a provider may go although so many would go at once.
    async fn approve_leaks(&mut self, provider: &ProviderKey) -> Result<()>;

    /// Why these machines could not be deleted.
    async fn set_problems(&mut self, provider: &ProviderKey, problems: &[(String, String)]) -> Result<()>;

    /// A page of machines of a provider.
    async fn machines(&mut self, filter: &MachineFilter, page: &MachinePage) -> Result<Vec<Machine>>;

    /// All rules, by id.
    async fn rules(&mut self) -> Result<Vec<Rule>>;

    /// Inserts a rule.
    async fn insert_rule(&mut self, rule: &NewRule) -> Result<Rule>;

    /// Deletes a rule; false if there is none of this id.
    async fn delete_rule(&mut self, id: i64) -> Result<bool>;
}
