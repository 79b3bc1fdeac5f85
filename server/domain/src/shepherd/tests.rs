use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    ProviderKey, TemplateId, Timestamp,
    provider::{Capacity, CircuitState},
    room::{Need, Room},
    template::{Template, TemplateState, TemplateType},
    version::Version,
};

fn template(id: i64, provider: &str, version: &str) -> Template {
    Template {
        id: TemplateId(id),
        name: format!("t{id}"),
        provider: provider.into(),
        group: "g".into(),
        version: Version::new(version),
        date: "2026-01-01".parse().unwrap(),
        state: TemplateState::Ready,
        found_at: Timestamp::UNIX_EPOCH,
        template_type: TemplateType::VirtualMachine,
        unconfigured: false,
        failure_count: 0,
        quarantine_reason: String::new(),
        specimen_id: None,
        next_try_at: None,
        suggested_for_deletion: false,
        obsolete: false,
        parent_id: None,
        build: String::new(),
        verified_version: String::new(),
        preparation: crate::template::Preparations::default(),
        said: crate::template::Said::default(),
    }
}

fn stock(template: &Template, standing: Standing, requested: u32, coming: u32, ready: u32) -> Stock {
    Stock {
        template_id: template.id,
        provider: template.provider.clone(),
        version: template.version.clone(),
        date: template.date,
        standing,
        requested,
        coming,
        ready,
        leaving: 0,
    }
}

fn room(slots: u32, limit: Option<u32>, there: u32) -> Room {
    Room {
        disabled: false,
        working: true,
        circuit: CircuitState::Closed,
        next_try_at: None,
        provisioning_limit: slots,
        provisioning_count: 0,
        appliance_limit: limit,
        appliance_count: there,
        memory: Capacity::default(),
        cpus: Capacity::default(),
        usual: Need::default(),
    }
}

/// One provider "a".
fn planned(wanted: u32, templates: &[Template], stock: &[Stock], slots: u32, limit: Option<u32>) -> Vec<String> {
    let there = stock.iter().map(|s| s.requested + s.coming + s.ready + s.leaving).sum();
    let mut room = BTreeMap::from([("a".into(), room(slots, limit, there))]);
    let (waited_for, resting) = (BTreeSet::new(), BTreeSet::new());
    let pasture = Pasture { wanted, templates, stock, waited_for: &waited_for, resting: &resting };
    plan(&pasture, &mut room).iter().map(told).collect()
}

fn told(change: &Change) -> String {
    let template = change.template.map(|id| id.0).unwrap_or_default();
    match change.action {
        Action::Deploy => format!("deploy {} of {template}", change.count),
        Action::Wait => format!("wait {}", change.count),
        Action::Kill(part) => format!("kill {} {part:?} of {template}", change.count),
    }
}

#[test]
fn fills_as_many_slots_as_are_free() {
    let new = [template(1, "a", "2")];
    assert_eq!(planned(3, &new, &[], 5, None), ["deploy 3 of 1"]);
    assert_eq!(planned(3, &new, &[], 2, None), ["deploy 2 of 1", "wait 1"]);
    assert_eq!(planned(3, &new, &[stock(&new[0], Standing::Usable, 1, 1, 1)], 2, None), Vec::<String>::new());
    assert_eq!(planned(3, &[], &[], 5, None), ["wait 3"]);
    assert_eq!(planned(0, &[], &[], 5, None), Vec::<String>::new());
}

#[test]
fn old_ones_go_one_for_one_as_new_ones_get_ready() {
    let (old, new) = (template(1, "a", "1"), template(2, "a", "2"));
    let both = [old.clone(), new.clone()];
    let there = |coming, ready, old_ready| {
        [stock(&old, Standing::Usable, 0, 0, old_ready), stock(&new, Standing::Usable, 0, coming, ready)]
    };
    assert_eq!(planned(3, &both, &there(0, 0, 3), 9, None), ["deploy 3 of 2"]);
    assert_eq!(planned(3, &both, &there(2, 1, 3), 9, None), ["kill 1 Ready of 1"]);
    assert_eq!(planned(3, &both, &there(0, 3, 2), 9, None), ["kill 2 Ready of 1"]);
}

#[test]
fn a_full_provider_makes_room_one_at_a_time() {
    let (old, new) = (template(1, "a", "1"), template(2, "a", "2"));
    let both = [old.clone(), new.clone()];
    let mut there = [stock(&old, Standing::Usable, 0, 0, 3)];
    assert_eq!(planned(3, &both, &there, 9, Some(3)), ["kill 1 Ready of 1", "wait 3"]);
    there[0].ready = 2;
    there[0].leaving = 1;
    assert_eq!(planned(3, &both, &there, 9, Some(3)), ["wait 3"]);
}

#[test]
fn users_come_first_and_what_has_just_failed_rests() {
    let templates = [template(1, "a", "1"), template(2, "b", "1")];
    let mut room = BTreeMap::from([("a".into(), room(9, None, 0)), ("b".into(), room(9, None, 0))]);
    let (waited_for, resting) = (BTreeSet::from(["a".into()]), BTreeSet::new());
    let pasture = Pasture { wanted: 2, templates: &templates, stock: &[], waited_for: &waited_for, resting: &resting };
    assert_eq!(plan(&pasture, &mut room).iter().map(told).collect::<Vec<_>>(), ["deploy 2 of 2"]);
    let resting = BTreeSet::from([TemplateId(2)]);
    let pasture = Pasture { resting: &resting, ..pasture };
    let changes = plan(&pasture, &mut room);
    assert_eq!(changes.iter().map(told).collect::<Vec<_>>(), ["wait 2"]);
    assert_eq!(changes[0].reason, "users wait for a, and come first");
}

#[test]
fn what_is_away_is_kept_and_does_not_count() {
    let (here, there) = (template(1, "a", "1"), template(2, "b", "1"));
    let away = [stock(&there, Standing::Away, 0, 0, 2)];
    assert_eq!(planned(2, std::slice::from_ref(&here), &away, 9, None), ["deploy 2 of 1"]);
    let lost = [stock(&there, Standing::Unusable, 1, 1, 2)];
    let all = ["kill 1 Requested of 2", "kill 1 Coming of 2", "kill 2 Ready of 2", "deploy 2 of 1"];
    assert_eq!(planned(2, std::slice::from_ref(&here), &lost, 9, None), all);
    let ill = [stock(&there, Standing::Quarantined, 1, 1, 2)];
    assert_eq!(planned(2, &[here], &ill, 9, None), ["kill 2 Ready of 2", "deploy 2 of 1"]);
}

fn any_stock() -> impl Strategy<Value = Vec<Stock>> {
    let one = (1..=4_i64, 0..3_u32, 0..3_u32, 0..5_u32, 0..2_u32);
    prop::collection::btree_map(1..=4_i64, one, 0..=4).prop_map(|map| {
        let of = |(id, (_, requested, coming, ready, leaving)): (i64, _)| Stock {
            leaving,
            ..stock(&meadow(id), if id == 4 { Standing::Unusable } else { Standing::Usable }, requested, coming, ready)
        };
        map.into_iter().map(of).collect()
    })
}

/// Templates 1 (old, on a), 2 (new, on a), 3 (new, on b), 4 (gone).
fn meadow(id: i64) -> Template {
    template(id, if id == 3 { "b" } else { "a" }, if id == 1 { "1" } else { "2" })
}

fn ready_usable(stock: &[Stock]) -> u32 {
    stock.iter().filter(|s| s.standing == Standing::Usable).map(|s| s.ready).sum()
}

/// Does what was planned, and lets all that is under way arrive.
fn time_passes(stock: &mut Vec<Stock>, changes: &[Change]) {
    for there in stock.iter_mut() {
        there.leaving = 0;
    }
    for change in changes {
        let id = change.template.unwrap_or(TemplateId(0));
        if !stock.iter().any(|s| s.template_id == id) && change.action == Action::Deploy {
            stock.push(self::stock(&meadow(id.0), Standing::Usable, 0, 0, 0));
        }
        let Some(there) = stock.iter_mut().find(|s| s.template_id == id) else { continue };
        match change.action {
            Action::Deploy => there.coming += change.count,
            Action::Kill(Part::Requested) => there.requested -= change.count,
            Action::Kill(Part::Coming) => there.coming -= change.count,
            Action::Kill(Part::Ready) => there.ready -= change.count,
            Action::Wait => {}
        }
    }
    for there in stock {
        there.ready += there.coming + there.requested;
        (there.coming, there.requested) = (0, 0);
    }
}

proptest! {
    #[test]
    fn no_gap_no_excess_and_an_end(
        wanted in 0_u32..7, mut stock in any_stock(), slots in 1_u32..4, limit in prop::option::of(3_u32..9),
    ) {
        let templates = [meadow(1), meadow(2), meadow(3)];
        let (waited_for, resting) = (BTreeSet::new(), BTreeSet::new());
        for round in 0..60 {
            let count = |key: &ProviderKey, s: &[Stock]| -> u32 {
                let mine = s.iter().filter(|s| s.provider == *key);
                mine.map(|s| s.requested + s.coming + s.ready + s.leaving).sum()
            };
            let busy = |key: &ProviderKey, s: &[Stock]| -> u32 {
                s.iter().filter(|s| s.provider == *key).map(|s| s.requested + s.coming).sum()
            };
            let keys: [ProviderKey; 2] = ["a".into(), "b".into()];
            let of = |key: &ProviderKey| Room {
                provisioning_count: busy(key, &stock), ..room(slots, limit, count(key, &stock))
            };
            let mut rooms: BTreeMap<_, _> = keys.iter().map(|key| (key.clone(), of(key))).collect();
            let before = rooms.clone();
            let pasture =
                Pasture { wanted, templates: &templates, stock: &stock, waited_for: &waited_for, resting: &resting };
            let changes = plan(&pasture, &mut rooms);
            let deployed = |key: &ProviderKey| -> u32 {
                let here = changes.iter().filter(|c| c.action == Action::Deploy && c.provider.as_ref() == Some(key));
                here.map(|c| c.count).sum()
            };
            for key in &keys {
                let free = before[key].provisioning_limit.saturating_sub(before[key].provisioning_count);
                prop_assert!(deployed(key) <= free, "more than slots");
                if let Some(limit) = limit {
                    prop_assert!(deployed(key) <= limit.saturating_sub(before[key].appliance_count), "more than fits");
                }
            }
            prop_assert!(changes.iter().all(|change| change.count > 0));
            let killed: u32 = changes
                .iter()
                .filter(|c| c.action == Action::Kill(Part::Ready) && c.template != Some(TemplateId(4)))
                .map(|c| c.count)
                .sum();
            let was = ready_usable(&stock);
            // One may have to make way on a full provider.
            prop_assert!(was - killed + 1 >= was.min(wanted), "a gap: {was} were ready, {killed} go, {wanted} wanted");
            if limit.is_none() {
                prop_assert!(was - killed >= was.min(wanted));
            }
            if changes.iter().all(|change| change.action == Action::Wait)
                && stock.iter().all(|s| s.requested + s.coming + s.leaving == 0)
            {
                let newest: u32 = stock.iter().filter(|s| [2, 3].contains(&s.template_id.0)).map(|s| s.ready).sum();
                prop_assert!(newest == wanted || (limit.is_some() && newest < wanted), "{newest} of {wanted}");
                prop_assert!(changes.is_empty() == (newest == wanted));
                return Ok(());
            }
            time_passes(&mut stock, &changes);
            prop_assert!(round < 59, "never ends: {:?}", changes);
        }
    }
}

#[test]
fn counts_that_nobody_means_are_refused() {
    let shepherd =
        Shepherd { group: "g".into(), flock: Flock::Everyone, preconfigured: 1, unconfigured: 0, demand: None };
    assert!(shepherd.check().is_ok() && !shepherd.is_idle());
    assert!(Shepherd { unconfigured: 1_000_000, ..shepherd.clone() }.check().is_err());
    let demand = Some(Demand { min: 1, max: 2, schedule: vec![] });
    assert!(Shepherd { demand: demand.clone(), ..shepherd.clone() }.check().is_err());
    let by_demand = Shepherd { preconfigured: 0, demand, ..shepherd };
    assert!(by_demand.check().is_ok() && !by_demand.is_idle());
    assert_eq!((by_demand.wanted(false, Some(2)), by_demand.wanted(true, Some(2))), (2, 0));
}
