//! What callers see: decided in their own transaction, so that whoever is put out of a user group sees nothing through it at the next call.

use std::collections::{BTreeMap, BTreeSet};

use sprout_domain::{
    ProviderKey, Result, UserId, Visible,
    user::{Role, User},
};

use crate::ports::Tx;

/// What several callers see, read at once.
pub(crate) struct Sights(BTreeMap<UserId, BTreeSet<ProviderKey>>);

impl Sights {
    /// Reads it in one query; in none if all are staff.
    pub(crate) async fn read(tx: &mut dyn Tx, callers: impl Iterator<Item = &User> + Send) -> Result<Self> {
        let limited: BTreeSet<_> = callers.filter(|caller| caller.role < Role::Staff).map(|caller| caller.id).collect();
        let sights = tx.sights(&limited.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self(sights.into_iter().map(|(id, sight)| (id, sight.providers)).collect()))
    }

    /// What one of them sees, in the role in which they call; that may be less than what they are.
    pub(crate) fn of(&self, caller: &User) -> Visible {
        Visible::to(caller.role, self.0.get(&caller.id).cloned().unwrap_or_default())
    }
}

/// What a caller sees. Costs nothing for staff, else one query.
pub(crate) async fn visible_to(tx: &mut dyn Tx, caller: &User) -> Result<Visible> {
    Ok(Sights::read(tx, std::iter::once(caller)).await?.of(caller))
}
