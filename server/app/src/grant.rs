//! Granting warm appliances.

use sprout_domain::{
    ApplianceId, Error, GroupName, Result, TemplateId, UserGroupId, appliance::Appliance, event::EventKind,
};

use crate::{
    ports::{Grant, TakeWarm, Topic, Warm},
    prove,
    work::Work,
};

/// Warm appliances that a pool could have: of which templates, whose first, and how many at most.
pub(crate) struct Wish {
    pub(crate) group: GroupName,
    pub(crate) user_groups: Vec<UserGroupId>,
    pub(crate) templates: Vec<TemplateId>,
    pub(crate) count: u32,
}

/// Takes warm appliances, and deals them out in the order of the wishes; with `behind`, only those that nobody waits for.
pub(crate) async fn deal(work: &mut Work, wishes: &[Wish], behind: bool) -> Result<Vec<Vec<Warm>>> {
    let mut dealt: Vec<Vec<Warm>> = wishes.iter().map(|_| Vec::new()).collect();
    let mut taken: Vec<ApplianceId> = Vec::new();
    for (first, wish) in wishes.iter().enumerate() {
        let alike = |other: &Wish| other.templates == wish.templates && other.user_groups == wish.user_groups;
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
        let take = TakeWarm {
            templates: wish.templates.clone(),
            user_groups: wish.user_groups.clone(),
            count: wanted + more,
            behind,
            proven_since: prove::good_since(work, &wish.group),
        };
        let mut warm = work.tx.take_warm(&take).await?;
        warm.retain(|warm| !taken.contains(&warm.id));
        let mut warm = warm.into_iter();
        for (wish, dealt) in wishes.iter().zip(&mut dealt).skip(first).filter(|(wish, _)| alike(wish)) {
            *dealt = warm.by_ref().take(wish.count as usize).collect();
            taken.extend(dealt.iter().map(|warm| warm.id));
        }
    }
    Ok(dealt)
}

/// Binds warm appliances, locked by this transaction, to their pools; those whose proof is old prove again that they are ready.
pub(crate) async fn grant(work: &mut Work, grants: &[Grant]) -> Result<Vec<Appliance>> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let mut granted = work.tx.grant(grants).await?;
    if granted.len() != grants.len() {
        return Err(Error::internal("a warm appliance was granted although this transaction had locked it"));
    }
    let doubted = grants.iter().filter(|grant| !grant.proven).map(|grant| grant.appliance).collect();
    prove::begin(work, &doubted, &mut granted).await?;
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
