//! What those who ask may have at most.

use std::collections::{BTreeMap, BTreeSet};

use sprout_domain::{Result, UserId, quota::QuotaUse, user::User};

use crate::{ports::QuotaAndUse, work::Work};

/// What those who ask may have, and have, counting what this transaction gives them.
pub(super) struct Quotas(BTreeMap<UserId, QuotaAndUse>);

impl Quotas {
    /// Reads it in one query. Where a quota counts what is there, its user is locked, so that two requests at once cannot both pass; only then it is
    /// counted, which takes the longer the more there is.
    pub(super) async fn read(work: &mut Work, callers: impl Iterator<Item = &User> + Send) -> Result<Self> {
        let ids: BTreeSet<_> = callers.map(|caller| caller.id).collect();
        let quotas = work.tx.quotas(&ids.into_iter().collect::<Vec<_>>()).await?;
        let counted: Vec<_> = quotas.iter().filter(|(_, quota)| quota.is_counted()).map(|(id, _)| *id).collect();
        let unused = |(id, quota)| (id, QuotaAndUse { quota, used: QuotaUse::default() });
        let mut known: BTreeMap<_, _> = quotas.into_iter().map(unused).collect();
        if !counted.is_empty() {
            known.extend(work.tx.lock_quotas(&counted).await?);
        }
        Ok(Self(known))
    }

    /// Whether the user may have another pool of so many. One of none is over from the start.
    pub(super) fn allow(&self, user: UserId, count: u32) -> Result<()> {
        match self.0.get(&user) {
            Some(QuotaAndUse { quota, used }) if count > 0 => quota.allows_pool(*used, count),
            _ => Ok(()),
        }
    }

    /// The user gets a pool of so many.
    pub(super) fn take(&mut self, user: UserId, count: u32) {
        if let Some(known) = self.0.get_mut(&user).filter(|_| count > 0) {
            let QuotaUse { pools, appliances } = known.used;
            known.used = QuotaUse { pools: pools + 1, appliances: appliances.saturating_add(count) };
        }
    }
}
