//! Granting warm appliances.

use sprout_domain::{ApplianceId, Error, Result, TemplateId, appliance::Appliance, event::EventKind};

use crate::{
    ports::{Grant, Topic},
    work::Work,
};

/// Warm appliances that a pool could have: of which templates, and how many at most.
pub(crate) struct Wish {
    pub(crate) templates: Vec<TemplateId>,
    pub(crate) count: u32,
}

/// Takes warm appliances, and deals them out in the order of the wishes; with `behind`, only those that nobody waits for.
pub(crate) async fn deal(work: &mut Work, wishes: &[Wish], behind: bool) -> Result<Vec<Vec<ApplianceId>>> {
    let mut dealt: Vec<Vec<ApplianceId>> = wishes.iter().map(|_| Vec::new()).collect();
    let mut taken: Vec<ApplianceId> = Vec::new();
    for (first, wish) in wishes.iter().enumerate() {
        let alike = |other: &Wish| other.templates == wish.templates;
        // Once for all that can take the same.
        if wishes[..first].iter().any(alike) {
            continue;
        }
        let wanted: u64 = wishes[first..].iter().filter(|wish| alike(wish)).map(|wish| u64::from(wish.count)).sum();
        if wanted == 0 {
            continue;
        }
        // What this transaction has taken for others it would be given again.
        let more = taken.len() as u64;
        let mut warm = work.tx.take_warm(&wish.templates, wanted + more, behind).await?;
        warm.retain(|id| !taken.contains(id));
        let mut warm = warm.into_iter();
        for (wish, dealt) in wishes.iter().zip(&mut dealt).skip(first).filter(|(wish, _)| alike(wish)) {
            *dealt = warm.by_ref().take(wish.count as usize).collect();
            taken.extend(&*dealt);
        }
    }
    Ok(dealt)
}

/// Binds warm appliances, locked by this transaction, to their pools.
pub(crate) async fn grant(work: &mut Work, grants: &[Grant]) -> Result<Vec<Appliance>> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let granted = work.tx.grant(grants).await?;
    if granted.len() != grants.len() {
        return Err(Error::internal("a warm appliance was granted although this transaction had locked it"));
    }
    work.wake(Topic::Warm);
    Ok(granted)
}

/// Says to whom warm appliances were granted.
pub(crate) fn tell_granted(work: &mut Work, granted: &[Appliance]) {
    for appliance in granted {
        let pool = appliance.pool_id.map(|id| id.to_string()).unwrap_or_default();
        let message = format!("{} was warm and is granted to pool {pool}", appliance.name);
        work.emit_appliance(EventKind::ApplianceGranted, appliance, message);
    }
}
