//! Usage: accounted when a lease ends or changes its owner, and now and then while it runs.

use std::time::Duration;

use chrono::NaiveDate;
use sprout_domain::{
    ApplianceId, Error, Reason, Result,
    appliance::Appliance,
    usage::{self, Dimension, UsageDay},
    user::{Role, User},
};

use crate::{App, ports::UsageFilter, work::Work};

/// A question about usage; days that are not said have defaults.
#[derive(Debug, Clone, Default)]
pub struct UsageQuestion {
    /// First day; none: 30 days ago.
    pub from: Option<NaiveDate>,
    /// Last day; none: today.
    pub to: Option<NaiveDate>,
    /// Only of this user.
    pub user: Option<String>,
    /// Only of this user group.
    pub user_group: Option<String>,
    /// Only of this group.
    pub group: Option<String>,
    /// Only on this provider.
    pub provider: Option<String>,
}

/// Accounts the leases of appliances (locked) until now. To be called where leases end or change their owner, before they do.
pub(crate) async fn account(work: &mut Work, appliances: &[Appliance]) -> Result<()> {
    let leased = |appliance: &&Appliance| appliance.leased_at.is_some() && appliance.pool_id.is_some();
    let ids: Vec<_> = appliances.iter().filter(leased).map(|appliance| appliance.id).collect();
    account_locked(work, &ids).await
}

async fn account_locked(work: &mut Work, ids: &[ApplianceId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let leases = work.tx.open_leases(ids).await?;
    let usage = usage::of_leases(&leases, work.tx.now());
    work.tx.account(&usage, ids).await
}

impl App {
    /// Accounts leases that run and were not accounted for this long, at most `limit`; returns how many.
    pub async fn account_leases(&self, older_than: Duration, limit: u64) -> Result<u64> {
        let mut work = self.work().await?;
        let before = work.tx.now() - older_than;
        let ids = work.tx.lock_leases(before, limit).await?;
        account_locked(&mut work, &ids).await?;
        work.commit().await?;
        Ok(ids.len() as u64)
    }

    /// Sums usage by some dimensions: their values, and seconds; what runs is included until now. Users have their own only.
    pub async fn usage(
        &self,
        caller: &User,
        question: UsageQuestion,
        by: &[Dimension],
    ) -> Result<Vec<(Vec<String>, u64)>> {
        let mut tx = self.ports.store.read().await?;
        let now = tx.now();
        let filter = filter(caller, question, now.date_naive())?;
        let mut found = tx.usage(&filter).await?;
        let running = tx.running_leases(filter.user.as_deref()).await?;
        found.extend(usage::of_leases(&running, now).into_iter().filter(|usage| matches(&filter, usage)));
        Ok(usage::summed(&found, by))
    }
}

fn filter(caller: &User, question: UsageQuestion, today: NaiveDate) -> Result<UsageFilter> {
    let UsageQuestion { from, to, user, user_group, group, provider } = question;
    let user = if caller.role >= Role::Staff {
        user
    } else if user.as_ref().is_some_and(|user| *user != caller.name) {
        return Err(Error::new(Reason::NotAllowed, "only staff may see the usage of others; ask for your own"));
    } else {
        Some(caller.name.clone())
    };
    let to = to.unwrap_or(today);
    let from = from.unwrap_or_else(|| usage::default_from(to.min(today)));
    if from > to {
        return Err(Error::invalid("from", format!("from {from} is after to {to}; give the earlier day as from")));
    }
    Ok(UsageFilter { from, to, user, user_group, group, provider })
}

fn matches(filter: &UsageFilter, usage: &UsageDay) -> bool {
    let is = |wanted: &Option<String>, value: &String| wanted.as_ref().is_none_or(|wanted| wanted == value);
    (filter.from..=filter.to).contains(&usage.day)
        && is(&filter.user_group, &usage.of.user_group)
        && is(&filter.group, &usage.of.group)
        && is(&filter.provider, &usage.of.provider)
}
