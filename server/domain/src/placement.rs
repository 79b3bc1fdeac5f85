//! Which template serves a request, and where.

use std::collections::BTreeMap;

use crate::{
    ProviderKey,
    room::{NoRoom, Room},
    template::{BuildDate, Template},
    version::Version,
};

/// Version and date that a request is resolved to: the newest version among the templates, then its newest date.
pub fn resolve(templates: &[Template]) -> Option<(Version, BuildDate)> {
    let version = templates.iter().map(|t| &t.version).max()?;
    let date = templates.iter().filter(|t| t.version == *version).map(|t| t.date).max()?;
    Some((version.clone(), date))
}

/// Chooses a template for each of `count` appliances that take the same (MiB and CPUs; none: what is usual): always the least loaded provider,
/// counting what was just placed; providers in `avoid` only when no other has room. Full providers come last: what is placed there waits. Empty
/// only if there is no template. What is placed is taken from `room`.
pub fn place<'a>(
    count: u32,
    (memory_mib, cpus): (Option<u32>, Option<u32>),
    templates: &'a [Template],
    room: &mut BTreeMap<ProviderKey, Room>,
    avoid: &[ProviderKey],
) -> Vec<&'a Template> {
    let mut placed = Vec::new();
    for _ in 0..count {
        let best = templates.iter().filter(|t| room.contains_key(&t.provider)).min_by_key(|t| {
            let there = &room[&t.provider];
            let full = there.fits(&there.need(memory_mib, cpus)).is_err_and(|missing| !missing.is_slot());
            (full, avoid.contains(&t.provider), there.load(), t.provider.clone())
        });
        let Some(best) = best else { break };
        if let Some(there) = room.get_mut(&best.provider) {
            let need = there.need(memory_mib, cpus);
            there.take(&need);
        }
        placed.push(best);
    }
    placed
}

/// The template that the next appliance is cloned from, with these overrides (MiB and CPUs): where there is room for it now, on the least loaded
/// provider. The provider to avoid is not used while another one is, even if that is full just now. None: there is no room for now.
pub fn choose<'a>(
    templates: &[&'a Template],
    (memory_mib, cpus): (Option<u32>, Option<u32>),
    rooms: &BTreeMap<ProviderKey, Room>,
    avoid: Option<&ProviderKey>,
) -> Option<&'a Template> {
    let fits = |room: &Room| room.fits(&room.need(memory_mib, cpus));
    let other = |t: &&&Template| avoid.is_some_and(|key| t.provider != *key);
    let elsewhere = templates
        .iter()
        .filter(other)
        .any(|t| rooms.get(&t.provider).is_some_and(|room| fits(room).err().is_none_or(NoRoom::is_used)));
    templates
        .iter()
        .filter(|t| !elsewhere || avoid != Some(&t.provider))
        .filter_map(|t| Some((t, rooms.get(&t.provider).filter(|room| fits(room).is_ok())?)))
        .min_by_key(|(t, room)| (room.load(), &t.provider, t.id))
        .map(|(t, _)| *t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        TemplateId, Timestamp,
        provider::{Capacity, CircuitState},
        room::Need,
        template::{TemplateState, TemplateType},
    };

    fn template(provider: &str, version: &str, date: &str) -> Template {
        Template {
            id: TemplateId(1),
            name: "t".into(),
            provider: provider.into(),
            group: "g".into(),
            version: Version::new(version),
            date: date.parse().unwrap(),
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

    fn room(limit: Option<u32>, count: u32) -> Room {
        Room {
            disabled: false,
            working: true,
            circuit: CircuitState::Closed,
            next_try_at: None,
            provisioning_limit: 5,
            provisioning_count: count,
            appliance_limit: limit,
            appliance_count: count,
            memory: Capacity::default(),
            cpus: Capacity::default(),
            usual: Need::default(),
        }
    }

    fn providers(placed: &[&Template]) -> Vec<String> {
        placed.iter().map(|t| t.provider.to_string()).collect()
    }

    #[test]
    fn newest_version_then_its_newest_date() {
        let templates = [
            template("a", "5.9", "2020-01-09"),
            template("a", "5.10", "2020-01-01"),
            template("b", "5.10", "2020-01-02"),
        ];
        let (version, date) = resolve(&templates).unwrap();
        assert_eq!((version.as_str(), date.to_string().as_str()), ("5.10", "2020-01-02"));
        assert_eq!(resolve(&[]), None);
    }

    #[test]
    fn spreads_by_load_and_counts_what_it_placed() {
        let templates = [template("a", "1", "2020-01-01"), template("b", "1", "2020-01-01")];
        let mut rooms = BTreeMap::from([("a".into(), room(None, 1)), ("b".into(), room(None, 0))]);
        assert_eq!(providers(&place(4, (None, None), &templates, &mut rooms, &[])), ["b", "a", "b", "a"]);
    }

    #[test]
    fn full_providers_come_last_and_avoided_ones_before_them() {
        let templates = [template("a", "1", "2020-01-01"), template("b", "1", "2020-01-01")];
        let mut rooms = BTreeMap::from([("a".into(), room(Some(1), 1)), ("b".into(), room(Some(9), 8))]);
        assert_eq!(providers(&place(2, (None, None), &templates, &mut rooms, &["b".into()])), ["b", "a"]);
        assert!(place(1, (None, None), &[], &mut rooms, &[]).is_empty());
    }

    #[test]
    fn the_next_one_goes_where_there_is_room_now_and_not_where_one_failed() {
        let templates = [template("a", "1", "2020-01-01"), template("b", "1", "2020-01-01")];
        let templates: Vec<_> = templates.iter().collect();
        let chosen = |a: Room, b: Room, avoid: Option<&str>| {
            let rooms = BTreeMap::from([("a".into(), a), ("b".into(), b)]);
            let avoid = avoid.map(ProviderKey::from);
            choose(&templates, (None, None), &rooms, avoid.as_ref()).map(|t| t.provider.to_string())
        };
        let (free, busy, full) = (room(None, 0), room(None, 3), room(Some(1), 1));
        let broken = Room { working: false, ..free };
        assert_eq!(chosen(busy, free, None).as_deref(), Some("b"));
        assert_eq!(chosen(busy, free, Some("b")).as_deref(), Some("a"));
        assert_eq!(chosen(full, free, None).as_deref(), Some("b"));
        assert_eq!(chosen(full, free, Some("b")), None, "it waits for a");
        assert_eq!(chosen(broken, free, Some("b")).as_deref(), Some("b"), "there is no other");
        assert_eq!(chosen(full, broken, None), None);
    }
}
