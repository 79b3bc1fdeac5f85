//! What callers see: decided in their own transaction, so that whoever is put out of a user group sees nothing through it at the next call.

use std::collections::{BTreeMap, BTreeSet};

use sprout_domain::{
    Result, UserGroupId, UserId, Visible,
    user::{Role, User},
};

use crate::ports::{Sight, Tx};

/// What several callers see, read at once.
pub(crate) struct Sights(BTreeMap<UserId, Sight>);

impl Sights {
    /// Reads it in one query; in none if all are staff.
    pub(crate) async fn read(tx: &mut dyn Tx, callers: impl Iterator<Item = &User> + Send) -> Result<Self> {
        let limited: BTreeSet<_> = callers.filter(|caller| caller.role < Role::Staff).map(|caller| caller.id).collect();
        Ok(Self(tx.sights(&limited.into_iter().collect::<Vec<_>>()).await?))
    }

    /// What one of them sees, in the role in which they call; that may be less than what they are.
    pub(crate) fn of(&self, caller: &User) -> Visible {
        Visible::to(caller.role, self.0.get(&caller.id).map(|sight| sight.providers.clone()).unwrap_or_default())
    }

    /// The user groups of one of them, whose stock of warm appliances is theirs first; none for staff, who take from everyone's first.
    pub(crate) fn user_groups(&self, caller: &User) -> Vec<UserGroupId> {
        self.0.get(&caller.id).map(|sight| sight.user_groups.iter().copied().collect()).unwrap_or_default()
    }
}

/// What a caller sees. Costs nothing for staff, else one query.
pub(crate) async fn visible_to(tx: &mut dyn Tx, caller: &User) -> Result<Visible> {
    Ok(Sights::read(tx, std::iter::once(caller)).await?.of(caller))
}
