//! Who gets what: the line, and what there is, dealt out seat by seat.

use std::collections::{BTreeMap, BTreeSet};

use sprout_domain::{
    PoolId, ProviderKey, TemplateId, Timestamp,
    placement::choose,
    pool::Pool,
    room::{NoRoom, Room},
    template::Template,
};

use super::Round;

/// What a pool gets in one round.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Warm appliances.
    pub(super) warm: u32,
    /// Templates to deploy one of each.
    pub(super) new: Vec<Template>,
}

/// What is to be done in one round.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Who gets what.
    pub(super) shares: BTreeMap<PoolId, Share>,
    /// It is as much as fits one transaction; there may be more.
    pub(super) is_full: bool,
    /// Providers without room for appliances as such, with the seats that wait for it.
    pub(super) crowded: BTreeMap<ProviderKey, u32>,
}

/// What can serve one pool.
struct Serving<'a> {
    templates: Vec<&'a Template>,
    warm: Vec<TemplateId>,
}

impl Round {
    /// Deals out what there is, at most so many appliances.
    pub(super) fn plan(&self, now: Timestamp, most: u32) -> Plan {
        let (mut line, mut rooms, mut warm) = (self.line(now), self.rooms.clone(), self.warm.clone());
        let mut serving: BTreeMap<PoolId, Serving<'_>> = BTreeMap::new();
        let mut plan = Plan::default();
        let mut served = 0;
        while let Some(next) = line.pop() {
            if served == most {
                plan.is_full = true;
                break;
            }
            let Some(waiting) = self.waiting.get(&next.pool) else { break };
            let pool = &waiting.pool;
            let by = serving
                .entry(pool.id)
                .or_insert_with(|| Serving { templates: self.candidates(pool), warm: self.warm_templates(pool) });
            if take_warm(&by.warm, &mut warm) {
                plan.shares.entry(pool.id).or_default().warm += 1;
            } else if let Some(template) = take_room(pool, &by.templates, &mut rooms) {
                plan.shares.entry(pool.id).or_default().new.push(template.clone());
            } else {
                for key in crowded(pool, &by.templates, &rooms) {
                    *plan.crowded.entry(key).or_default() += next.seats;
                }
                line.pass();
                continue;
            }
            line.serve();
            served += 1;
        }
        plan
    }

    /// Templates whose warm appliances somebody waits for.
    pub(super) fn wanted_warm(&self) -> BTreeSet<TemplateId> {
        self.waiting.values().flat_map(|waiting| self.warm_templates(&waiting.pool)).collect()
    }
}

fn take_warm(templates: &[TemplateId], warm: &mut BTreeMap<TemplateId, u32>) -> bool {
    for template in templates {
        if let Some(count) = warm.get_mut(template).filter(|count| **count > 0) {
            *count -= 1;
            return true;
        }
    }
    false
}

fn take_room<'a>(
    pool: &Pool,
    templates: &[&'a Template],
    rooms: &mut BTreeMap<ProviderKey, Room>,
) -> Option<&'a Template> {
    let template = choose(templates, (pool.memory_mib, pool.cpus), rooms, pool.avoided_provider.as_ref())?;
    let room = rooms.get_mut(&template.provider)?;
    let need = room.need(pool.memory_mib, pool.cpus);
    room.take(&need);
    Some(template)
}

/// Providers that could serve the pool if there were less on them; none if it only waits for deployments that are under way.
fn crowded(pool: &Pool, templates: &[&Template], rooms: &BTreeMap<ProviderKey, Room>) -> BTreeSet<ProviderKey> {
    let mut keys = BTreeSet::new();
    for template in templates {
        let Some(room) = rooms.get(&template.provider) else { continue };
        match room.fits(&room.need(pool.memory_mib, pool.cpus)) {
            Err(NoRoom::Slot { .. }) => return BTreeSet::new(),
            Err(NoRoom::ApplianceLimit { .. } | NoRoom::Memory { .. } | NoRoom::Cpus { .. }) => {
                keys.insert(template.provider.clone());
            }
            Err(NoRoom::Disabled | NoRoom::NotWorking | NoRoom::CircuitOpen { .. }) | Ok(()) => {}
        }
    }
    keys
}
