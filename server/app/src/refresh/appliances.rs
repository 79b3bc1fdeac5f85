//! What a listing makes of appliances: as they were seen, missing, back, or of no use any more.
//!
//! Nearly always nothing. What would change is locked, looked at again and judged again, because it may have changed since it was read.

use std::collections::{BTreeMap, HashMap};

use sprout_domain::{
    ApplianceId, PoolId, ProviderKey, Result, Timestamp,
    appliance::{Appliance, ApplianceState, PowerState},
    event::{EventKind, NewEvent},
    lease,
    machine::{
        Listed, Marks,
        leftover::MANY,
        observe::{Observed, Role, Verdict, judge},
    },
};

use crate::{
    kill::{kill_appliances, lock},
    ports::{Kept, Topic},
    work::Work,
};

/// Writes what the listing says of appliances.
pub(super) async fn write(
    work: &mut Work,
    key: &ProviderKey,
    listing: &[Listed],
    kept: &[Kept],
    began: Timestamp,
) -> Result<()> {
    let sight = Sight::new(listing, began);
    let mut changed: Vec<_> =
        kept.iter().filter(|kept| sight.judge(work, kept) != Verdict::AsKnown).map(|kept| kept.known.id).collect();
    if changed.is_empty() {
        return Ok(());
    }
    changed.sort_unstable();
    let locked = lock(work, &changed).await?;
    let kept = work.tx.kept(key, Some(&changed)).await?;
    let mut verdicts = Verdicts::default();
    for kept in &kept {
        let verdict = sight.judge(work, kept);
        if let Some(appliance) = locked.iter().find(|appliance| appliance.id == kept.known.id) {
            verdicts.add(appliance, kept, verdict);
        }
    }
    if verdicts.forgotten.len() > MANY && !listing.iter().any(|listed| matches!(listed.marks, Marks::Ours(_))) {
        tracing::warn!(provider = %key, count = verdicts.forgotten.len(), "a provider shows nothing of what is ours; their records are kept");
        verdicts.forgotten.clear();
    }
    verdicts.write(work, began).await
}

/// What a listing shows of appliances.
struct Sight<'a> {
    by_name: HashMap<&'a str, &'a Listed>,
    began: Timestamp,
}

impl<'a> Sight<'a> {
    fn new(listing: &'a [Listed], began: Timestamp) -> Self {
        Self { by_name: listing.iter().map(|listed| (listed.name.as_str(), listed)).collect(), began }
    }

    /// What it shows under one of its names, if that carries its tag.
    fn of(&self, kept: &Kept) -> Option<&'a Listed> {
        let names = [Some(&kept.known.name), kept.known.new_name.as_ref()].into_iter().flatten();
        let mut there = names.filter_map(|name| self.by_name.get(name.as_str()).copied());
        there.find(|listed| listed.marks == Marks::Ours(kept.known.id))
    }

    fn judge(&self, work: &Work, kept: &Kept) -> Verdict {
        let specs = work.catalogue.groups.get(&kept.group).map(|group| &*group.endpoints);
        judge(&kept.resting, self.of(kept), specs, self.began, work.catalogue.orphan_grace)
    }
}

/// What is to be written, of appliances that are locked.
#[derive(Default)]
struct Verdicts {
    missing: Vec<ApplianceId>,
    back: Vec<ApplianceId>,
    orphaned: Vec<Appliance>,
    forgotten: Vec<ApplianceId>,
    useless: Vec<ApplianceId>,
    /// Pools that go without one of those, and how many.
    short: BTreeMap<PoolId, i64>,
    seen: Vec<(Appliance, Observed)>,
}

impl Verdicts {
    fn add(&mut self, appliance: &Appliance, kept: &Kept, verdict: Verdict) {
        let id = appliance.id;
        match verdict {
            Verdict::AsKnown => {}
            Verdict::Missing => self.missing.push(id),
            Verdict::Back => self.back.push(id),
            Verdict::Orphaned => self.orphaned.push(appliance.clone()),
            Verdict::Forgotten => self.forgotten.push(id),
            Verdict::Useless => {
                self.useless.push(id);
                if let Some(pool) = kept.pool.filter(|_| kept.resting.role == Role::Awaited) {
                    *self.short.entry(pool).or_default() += 1;
                }
            }
            Verdict::Seen(observed) => self.seen.push((appliance.clone(), observed)),
        }
    }

    async fn write(self, work: &mut Work, began: Timestamp) -> Result<()> {
        work.tx.set_missing(&self.missing, Some(began)).await?;
        work.tx.set_missing(&self.back, None).await?;
        orphan(work, &self.orphaned, began).await?;
        see(work, &self.seen).await?;
        let short: Vec<_> = self.short.into_iter().collect();
        if !short.is_empty() {
            work.tx.add_waiting(&short).await?;
            work.wake(Topic::Queue);
        }
        kill_appliances(work, &self.useless, "its provider shows it off or missing, and nobody has used it").await?;
        let grace = work.catalogue.orphan_grace.as_secs().div_ceil(60);
        let why = format!("it has been missing on its provider for {grace} min");
        kill_appliances(work, &self.forgotten, &why).await
    }
}

/// What is missing keeps its record for some time: whoever it belongs to sees it, and it may come back.
async fn orphan(work: &mut Work, missing: &[Appliance], began: Timestamp) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let until = lease::end(began, work.catalogue.orphan_grace).format("%F %T UTC");
    let status = format!("missing on its provider; waited for until about {until}");
    let absent = Observed {
        state: ApplianceState::Orphaned,
        power: PowerState::Absent,
        address: None,
        endpoints: Vec::new(),
        console_url: None,
    };
    let rows: Vec<_> = missing.iter().map(|appliance| (appliance.id, absent.clone(), Some(status.clone()))).collect();
    work.tx.set_observed(&rows).await?;
    for appliance in missing {
        let orphaned = Appliance { state: ApplianceState::Orphaned, ..appliance.clone() };
        work.emit_appliance(EventKind::ApplianceState, &orphaned, format!("{} is {status}", appliance.name));
    }
    work.wake(Topic::Warm);
    Ok(())
}

/// Writes down how they were seen, and tells what of that matters to anyone.
async fn see(work: &mut Work, seen: &[(Appliance, Observed)]) -> Result<()> {
    let mut rows = Vec::with_capacity(seen.len());
    for (before, now) in seen {
        let status = (before.state != now.state).then(|| status(before.state, now.state));
        if let Some(status) = &status {
            let after = Appliance { state: now.state, ..before.clone() };
            work.emit_appliance(EventKind::ApplianceState, &after, format!("{} is {status}", before.name));
        } else if (&before.address, &before.endpoints) != (&now.address, &now.endpoints) {
            let address = now.address.as_deref().unwrap_or("unknown");
            work.emit(NewEvent {
                pool_id: before.pool_id,
                appliance_id: Some(before.id),
                provider: Some(before.provider.clone()),
                state: Some(before.state.as_str().to_owned()),
                ..NewEvent::new(EventKind::ApplianceChanged, format!("{} has another address: {address}", before.name))
            });
        }
        rows.push((before.id, now.clone(), status));
    }
    if !rows.is_empty() {
        work.tx.set_observed(&rows).await?;
        work.wake(Topic::Warm);
    }
    Ok(())
}

/// The status line of one that is otherwise than we left it.
fn status(before: ApplianceState, now: ApplianceState) -> String {
    let back = if before == ApplianceState::Orphaned { "there again: " } else { "" };
    let says = match now {
        ApplianceState::Off => "off, which nobody asked for here: it was switched off, or ended, on its provider",
        ApplianceState::Suspended => "suspended, which nobody asked for here: it was suspended on its provider",
        _ => "on, as its provider shows it",
    };
    format!("{back}{says}")
}
