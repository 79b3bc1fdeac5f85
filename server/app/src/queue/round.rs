//! What a decision about those who wait rests on: who they are, and what could serve them.

use std::collections::{BTreeMap, BTreeSet};

use sprout_domain::{
    Catalogue, PoolId, ProviderKey, Result, TemplateId, Timestamp, UserGroupId, UserId, Visible,
    pool::Pool,
    queue::{Line, Waiting},
    room::Room,
    template::Template,
};

use crate::{
    grant::Wish,
    ports::{Kind, Tx, WaitingPool},
};

/// Driver types of all providers.
pub(crate) fn drivers(catalogue: &Catalogue) -> BTreeMap<ProviderKey, &'static str> {
    catalogue.providers.values().map(|spec| (spec.key.clone(), spec.settings.driver())).collect()
}

/// Those who wait, and what there is for them, read in one transaction.
pub(crate) struct Round {
    /// Those who wait.
    pub(crate) waiting: BTreeMap<PoolId, WaitingPool>,
    /// What their owners have under way.
    under_way: BTreeMap<UserId, u32>,
    /// Templates of the kinds they wait for.
    templates: BTreeMap<Kind, Vec<Template>>,
    /// Room where those are.
    pub(crate) rooms: BTreeMap<ProviderKey, Room>,
    /// Warm appliances of those.
    pub(crate) warm: BTreeMap<TemplateId, u32>,
    /// What the owners see.
    visible: BTreeMap<UserId, Visible>,
    /// Their user groups, whose warm appliances are theirs first.
    user_groups: BTreeMap<UserId, Vec<UserGroupId>>,
    drivers: BTreeMap<ProviderKey, &'static str>,
}

/// The kind of a pool's appliances.
pub(crate) fn kind(pool: &Pool) -> Kind {
    (pool.group.clone(), pool.version.clone(), pool.date)
}

impl Round {
    pub(crate) async fn read(tx: &mut dyn Tx, catalogue: &Catalogue) -> Result<Self> {
        let waiting = tx.waiting_pools().await?;
        Self::about(tx, catalogue, waiting).await
    }

    /// As [`Self::read`], for these pools only.
    pub(crate) async fn about(tx: &mut dyn Tx, catalogue: &Catalogue, waiting: Vec<WaitingPool>) -> Result<Self> {
        let kinds: BTreeSet<Kind> = waiting.iter().map(|waiting| kind(&waiting.pool)).collect();
        let found = tx.templates_of(&kinds.into_iter().collect::<Vec<_>>()).await?;
        let keys: BTreeSet<_> = found.iter().map(|template| template.provider.clone()).collect();
        let rooms = tx.room(&keys.into_iter().collect::<Vec<_>>()).await?;
        let warm = tx.grantable(&found.iter().map(|template| template.id).collect::<Vec<_>>()).await?;
        let owners: BTreeSet<_> = waiting.iter().map(|waiting| waiting.pool.owner_id).collect();
        let sights = tx.sights(&owners.into_iter().collect::<Vec<_>>()).await?;
        let under_way = tx.under_way().await?;
        let mut templates: BTreeMap<Kind, Vec<Template>> = BTreeMap::new();
        for template in found {
            let kind = (template.group.clone(), template.version.clone(), template.date);
            templates.entry(kind).or_default().push(template);
        }
        Ok(Self {
            waiting: waiting.into_iter().map(|waiting| (waiting.pool.id, waiting)).collect(),
            under_way,
            templates,
            rooms,
            warm,
            user_groups: sights.iter().map(|(id, sight)| (*id, sight.user_groups.iter().copied().collect())).collect(),
            visible: sights.into_iter().map(|(id, sight)| (id, Visible::to(sight.role, sight.providers))).collect(),
            drivers: drivers(catalogue),
        })
    }

    /// The line as it is now.
    pub(crate) fn line(&self, now: Timestamp) -> Line {
        let waiting: Vec<_> = self.waiting.values().map(seats).collect();
        Line::new(now, &waiting, &self.under_way)
    }

    /// All templates of the pool's kind, whether they can serve it or not.
    pub(crate) fn of_kind(&self, pool: &Pool) -> &[Template] {
        self.templates.get(&kind(pool)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the pool's owner sees a provider.
    pub(crate) fn sees(&self, pool: &Pool, provider: &ProviderKey) -> bool {
        self.visible.get(&pool.owner_id).is_some_and(|visible| visible.sees(provider))
    }

    /// The templates that can serve the pool, if there is room where they are.
    pub(crate) fn candidates(&self, pool: &Pool) -> Vec<&Template> {
        let fits = |template: &&Template| {
            let driver = self.drivers.get(&template.provider).copied();
            driver.is_some_and(|driver| serves(pool, template, driver)) && self.sees(pool, &template.provider)
        };
        self.of_kind(pool).iter().filter(fits).collect()
    }

    /// The warm appliances that the pool could have, at most so many.
    pub(super) fn wish(&self, pool: &Pool, count: u32) -> Wish {
        let user_groups = self.user_groups.get(&pool.owner_id).cloned().unwrap_or_default();
        Wish { group: pool.group.clone(), user_groups, templates: self.warm_templates(pool), count }
    }

    /// Templates whose warm appliances the pool could have; overrides are not warm.
    pub(crate) fn warm_templates(&self, pool: &Pool) -> Vec<TemplateId> {
        if pool.memory_mib.is_some() || pool.cpus.is_some() || pool.update {
            return Vec::new();
        }
        let used = |template: &&Template| self.rooms.get(&template.provider).is_some_and(|room| !room.disabled);
        self.candidates(pool).into_iter().filter(used).map(|template| template.id).collect()
    }
}

/// Whether the pool asked for what this template, on a provider of this type, is.
fn serves(pool: &Pool, template: &Template, driver: &str) -> bool {
    pool.provider.as_ref().is_none_or(|key| *key == template.provider)
        && pool.provider_type.as_ref().is_none_or(|wanted| wanted == driver)
        && pool.template_type.is_none_or(|wanted| wanted == template.template_type)
        && pool.unconfigured == template.unconfigured
}

fn seats(waiting: &WaitingPool) -> Waiting {
    let WaitingPool { pool, weight } = waiting;
    Waiting {
        pool: pool.id,
        owner: pool.owner_id,
        weight: *weight,
        priority: pool.priority,
        since: pool.created_at,
        seats: pool.waiting_count,
    }
}
