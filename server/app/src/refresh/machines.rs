//! What a listing makes of the machines known so far: whose each is, how often it was seen so, and which are not there any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sprout_domain::{
    ApplianceId, ProviderKey, Result, Timestamp,
    event::{EventKind, NewEvent},
    machine::{Known, Listed, Machine, MachineKind, Marks, leftover::SIGHTINGS},
};

use crate::{ports::Kept, work::Work};

/// Writes machines; returns those that are lost, and have been for long enough.
pub(super) async fn write(
    work: &mut Work,
    key: &ProviderKey,
    listing: &[Listed],
    kept: &[Kept],
    began: Timestamp,
) -> Result<Vec<String>> {
    let whose = Whose::ask(work, key, listing, kept).await?;
    let mut before: BTreeMap<String, Machine> =
        work.tx.machines_on(key).await?.into_iter().map(|machine| (machine.name.clone(), machine)).collect();
    let (mut changed, mut lost) = (Vec::new(), Vec::new());
    let grace = work.catalogue.leak_grace;
    for listed in listing {
        let before = before.remove(&listed.name);
        let now = seen(key, listed, before.as_ref(), whose.of(listed, began), began);
        if now.kind == MachineKind::Lost && sprout_domain::machine::leftover::ripe(&now, began, grace).is_none() {
            lost.push(now.name.clone());
        }
        if before.as_ref() != Some(&now) {
            tell(work, before.as_ref(), &now);
            changed.push(now);
        }
    }
    let absent: Vec<_> = before.into_keys().collect();
    work.tx.put_machines(key, &changed, &absent).await?;
    Ok(lost)
}

/// A machine after it was listed.
fn seen(
    key: &ProviderKey,
    listed: &Listed,
    before: Option<&Machine>,
    (kind, appliance_id): (MachineKind, Option<ApplianceId>),
    began: Timestamp,
) -> Machine {
    let new = Machine {
        provider: key.clone(),
        name: listed.name.clone(),
        power: listed.power,
        kind,
        appliance_id,
        sightings: 1,
        first_seen_at: began,
        since: began,
        approved: false,
        problem: String::new(),
    };
    match before {
        Some(before) if (before.kind, before.appliance_id) == (kind, appliance_id) => Machine {
            power: listed.power,
            sightings: before.sightings.saturating_add(1).min(SIGHTINGS),
            ..before.clone()
        },
        // It may be another machine of that name: it is as old as we know it to be.
        Some(before) if before.appliance_id == appliance_id => Machine { first_seen_at: before.first_seen_at, ..new },
        _ => new,
    }
}

/// Tells that something of ours is there that should not be.
fn tell(work: &mut Work, before: Option<&Machine>, now: &Machine) {
    if before.is_some_and(|before| before.kind == now.kind) {
        return;
    }
    let Machine { name, provider, appliance_id, .. } = now;
    let number = appliance_id.map(|id| id.to_string()).unwrap_or_default();
    let says = match now.kind {
        MachineKind::Leaked => format!("carries our tag, and appliance {number} is gone: it is to be deleted"),
        MachineKind::Lost => {
            format!("carries our tag, and there was never an appliance {number}: its record is to be rebuilt")
        }
        MachineKind::Stray => {
            format!("carries the tag of appliance {number}, which is called otherwise: it is left alone")
        }
        MachineKind::Tracked | MachineKind::Untracked | MachineKind::Foreign => return,
    };
    work.emit(NewEvent {
        provider: Some(provider.clone()),
        appliance_id: *appliance_id,
        state: Some(now.kind.as_str().to_owned()),
        ..NewEvent::new(EventKind::Leak, format!("{name} on {provider} {says}"))
    });
}

/// Who is known by number and by name.
struct Whose {
    known: HashMap<ApplianceId, Known>,
    /// Names on this provider that are, or are about to be, of an appliance that is not gone.
    named: BTreeMap<String, ApplianceId>,
}

impl Whose {
    async fn ask(work: &mut Work, key: &ProviderKey, listing: &[Listed], kept: &[Kept]) -> Result<Self> {
        let mut known: HashMap<_, _> = kept.iter().map(|kept| (kept.known.id, kept.known.clone())).collect();
        let tagged = listing.iter().filter_map(|listed| match listed.marks {
            Marks::Ours(id) if !known.contains_key(&id) => Some(id),
            _ => None,
        });
        let others: BTreeSet<_> = tagged.collect();
        let others = work.tx.known(key, &Vec::from_iter(others)).await?;
        known.extend(others.into_iter().map(|other| (other.id, other)));
        let names = kept.iter().flat_map(|Kept { known, .. }| {
            [Some(&known.name), known.new_name.as_ref()].into_iter().flatten().map(|name| (name.clone(), known.id))
        });
        Ok(Self { named: names.collect(), known })
    }

    fn of(&self, listed: &Listed, began: Timestamp) -> (MachineKind, Option<ApplianceId>) {
        let tagged = match listed.marks {
            Marks::Ours(id) => self.known.get(&id),
            Marks::None | Marks::Others => None,
        };
        MachineKind::of(listed, tagged, self.named.get(&listed.name).copied(), began)
    }
}
