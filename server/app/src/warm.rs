//! Keeping appliances warm: as many of each group's newest templates as shepherds want.
//!
//! What is to be done is decided in the domain ([`sprout_domain::shepherd::plan`]) by what a [`Meadow`] shows. Most looks find nothing to do, and are
//! one reading transaction; where there is, each shepherd has a transaction of its own, in which it looks again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sprout_domain::{
    ApplianceId, Catalogue, GroupName, ProviderKey, Result, TemplateId, Timestamp, UserGroupId,
    appliance::{Appliance, ApplianceState},
    demand::Measured,
    lease, placement,
    room::Room,
    shepherd::{self, Action, Change, Flock, Part, Pasture, Shepherd, Standing},
    template::Template,
};

use crate::{
    App,
    appliance::{For, deploy},
    kill::{self, kill_appliances},
    ports::{Pick, ShepherdFilter, StockRow, Topic, Tx},
    queue,
    shepherd::Counted,
    work::{Work, repeated},
};

/// After a warm deployment failed, its template rests this long: one that cannot work must not be tried without end.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(60);
/// What was asked for within this time is taken for what will be.
const LATELY: Duration = Duration::from_secs(3 * 60 * 60);
/// So many deployments tell how long one takes.
const SAMPLES: u64 = 20;

impl App {
    /// Makes what is missing, and removes what is too many or out of date. Does nothing twice: what is on its way counts as there.
    pub async fn refill_warm(&self) -> Result<()> {
        let mut failed = None;
        for shepherd in self.shepherds_to_tend().await? {
            // One that cannot be served must not keep the others from it.
            if let Err(error) = repeated(|| self.tend(&shepherd)).await {
                tracing::warn!(group = %shepherd.group, flock = %shepherd.flock, %error, "could not be kept warm");
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The shepherds that have something to do, the emptiest first.
    async fn shepherds_to_tend(&self) -> Result<Vec<Shepherd>> {
        let mut tx = self.ports.store.read().await?;
        let shepherds = all_shepherds(tx.as_mut(), None).await?;
        if shepherds.is_empty() {
            return Ok(Vec::new());
        }
        let meadow = Meadow::look(tx.as_mut(), &self.catalogue(), &shepherds, None).await?;
        let mut by_filling: Vec<_> =
            shepherds.into_iter().map(|shepherd| (meadow.filling(&shepherd), shepherd)).collect();
        by_filling.sort_by_key(|(filling, _)| *filling);
        // What one is about to place is not there for the next.
        let (mut busy, mut room) = (Vec::new(), meadow.room());
        for (_, shepherd) in by_filling {
            if meadow.changes(&shepherd, &mut room).iter().any(|(_, change)| change.action != Action::Wait) {
                busy.push(shepherd);
            }
        }
        Ok(busy)
    }

    /// Does what there is to do for one of them.
    async fn tend(&self, shepherd: &Shepherd) -> Result<()> {
        let mut work = self.work().await?;
        // What another server has just begun counts as there; also if that one was thought dead, and is not.
        let flock = shepherd.flock.id().map_or_else(|| "everyone".to_owned(), |id| id.to_string());
        work.tx.take_turn(&format!("warm refill of {} for {flock}", shepherd.group)).await?;
        // Nor is room counted twice that a request has just taken.
        work.tx.take_turn(queue::TURN).await?;
        let group = Some(&shepherd.group);
        // Meanwhile it may have been set otherwise.
        let known = all_shepherds(work.tx.as_mut(), group).await?;
        let Some(shepherd) = known.iter().find(|known| known.flock.id() == shepherd.flock.id()) else {
            return Ok(());
        };
        let meadow = Meadow::look(work.tx.as_mut(), &self.catalogue(), std::slice::from_ref(shepherd), group).await?;
        let changes = meadow.changes(shepherd, &mut meadow.room());
        retire(&mut work, shepherd.flock.id(), &changes).await?;
        deploy(&mut work, meadow.placed(shepherd, &changes)).await?;
        work.wake(Topic::Tasks);
        work.commit().await
    }
}

/// The shepherds there are, and for what is kept for nobody any more, ones that want nothing.
async fn all_shepherds(tx: &mut dyn Tx, group: Option<&GroupName>) -> Result<Vec<Shepherd>> {
    let filter = ShepherdFilter { group: group.cloned(), ..ShepherdFilter::default() };
    let mut shepherds = tx.shepherds(&filter).await?;
    for row in tx.stock(group).await? {
        let known = shepherds.iter().any(|s| s.group == row.group && s.flock.id() == row.user_group_id);
        if !known {
            let flock = row.user_group_id.map_or(Flock::Everyone, |id| Flock::UserGroup { id, name: String::new() });
            shepherds.push(Shepherd { group: row.group, flock, preconfigured: 0, unconfigured: 0, demand: None });
        }
    }
    Ok(shepherds)
}

/// Kills what is to be killed, unless it was handed out, or got on, meanwhile.
async fn retire(work: &mut Work, user_group_id: Option<UserGroupId>, changes: &[(bool, Change)]) -> Result<()> {
    let mut reasons: BTreeMap<&str, Vec<Pick>> = BTreeMap::new();
    for (_, change) in changes {
        if let (Action::Kill(part), Some(template)) = (change.action, change.template) {
            let pick = Pick { template, user_group_id, part, count: change.count };
            reasons.entry(&change.reason).or_default().push(pick);
        }
    }
    for (reason, picks) in reasons {
        let picked = work.tx.pick_warm(&picks).await?;
        let part = |appliance: &Appliance| {
            let mine = picks.iter().filter(|pick| pick.template == appliance.template_id);
            mine.map(|pick| pick.part).any(|part| part_of(appliance.state) == Some(part))
        };
        let locked = kill::lock(work, &picked).await?;
        let still: Vec<ApplianceId> =
            locked.iter().filter(|a| a.pool_id.is_none() && part(a)).map(|appliance| appliance.id).collect();
        kill_appliances(work, &still, reason).await?;
    }
    Ok(())
}

fn part_of(state: ApplianceState) -> Option<Part> {
    match state {
        ApplianceState::Requested => Some(Part::Requested),
        ApplianceState::Ready => Some(Part::Ready),
        state if ApplianceState::PROVISIONING.contains(&state) => Some(Part::Coming),
        _ => None,
    }
}

/// Which of these, all on their way to be ready, are wanted as warm ones, and for which user group: those of the newest templates, as many as
/// shepherds lack.
pub(crate) async fn wanted_warm(
    work: &mut Work,
    candidates: &[&Appliance],
) -> Result<Vec<(ApplianceId, Option<UserGroupId>)>> {
    let mut wanted = Vec::new();
    if candidates.is_empty() {
        return Ok(wanted);
    }
    let shepherds = all_shepherds(work.tx.as_mut(), None).await?;
    if shepherds.is_empty() {
        return Ok(wanted);
    }
    let catalogue = work.catalogue.clone();
    let meadow = Meadow::look(work.tx.as_mut(), &catalogue, &shepherds, None).await?;
    let mut left: Vec<&Appliance> = candidates.to_vec();
    for (shepherd, unconfigured) in shepherds.iter().flat_map(|shepherd| [(shepherd, false), (shepherd, true)]) {
        let mut missing = meadow.missing(shepherd, unconfigured);
        let newest = meadow.newest(shepherd, unconfigured);
        left.retain(|appliance| {
            let taken = missing > 0 && newest.contains(&appliance.template_id);
            if taken {
                missing -= 1;
                wanted.push((appliance.id, shepherd.flock.id()));
            }
            !taken
        });
    }
    Ok(wanted)
}

/// All that shepherds decide by, at one moment.
pub(crate) struct Meadow {
    now: Timestamp,
    stock: Vec<StockRow>,
    templates: Vec<Template>,
    visibility: BTreeSet<(ProviderKey, UserGroupId)>,
    waited_for: BTreeSet<ProviderKey>,
    resting: BTreeSet<TemplateId>,
    room: BTreeMap<ProviderKey, Room>,
    /// Of groups and user groups that are sized by demand.
    measured: BTreeMap<(GroupName, Option<UserGroupId>), Measured>,
}

impl Meadow {
    /// Looks at what these shepherds decide by; only at one group, if they are all of it.
    pub(crate) async fn look(
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        shepherds: &[Shepherd],
        group: Option<&GroupName>,
    ) -> Result<Self> {
        // Of a group that is configured no more nothing is made.
        let groups: BTreeSet<_> = shepherds.iter().map(|s| s.group.clone()).collect();
        let groups: Vec<_> = groups.into_iter().filter(|group| catalogue.groups.contains_key(group)).collect();
        let templates = tx.clonable_templates(&groups).await?;
        let keys: BTreeSet<_> = templates.iter().map(|template| template.provider.clone()).collect();
        let ids: Vec<_> = templates.iter().map(|template| template.id).collect();
        let rested_since = lease::begin(tx.now(), REST_AFTER_FAILURE);
        Ok(Self {
            now: tx.now(),
            stock: tx.stock(group).await?,
            visibility: tx.visibility().await?,
            waited_for: tx.waited_for().await?,
            resting: tx.failed_since(&ids, rested_since).await?,
            room: tx.room(&keys.into_iter().collect::<Vec<_>>()).await?,
            measured: measure(tx, shepherds).await?,
            templates,
        })
    }

    fn sees(&self, shepherd: &Shepherd, provider: &ProviderKey) -> bool {
        shepherd.flock.id().is_none_or(|id| self.visibility.contains(&(provider.clone(), id)))
    }

    fn templates(&self, shepherd: &Shepherd, unconfigured: bool) -> Vec<Template> {
        let mine = self.templates.iter().filter(|t| t.group == shepherd.group && t.unconfigured == unconfigured);
        mine.filter(|template| self.sees(shepherd, &template.provider)).cloned().collect()
    }

    fn stock(&self, shepherd: &Shepherd, unconfigured: bool) -> impl Iterator<Item = &StockRow> {
        let (group, flock) = (shepherd.group.clone(), shepherd.flock.id());
        self.stock
            .iter()
            .filter(move |row| row.group == group && row.user_group_id == flock && row.unconfigured == unconfigured)
    }

    /// Room on the providers concerned.
    pub(crate) fn room(&self) -> BTreeMap<ProviderKey, Room> {
        self.room.clone()
    }

    /// What is to be done for a shepherd, and whether for unconfigured ones. What it deploys is added to `room`.
    pub(crate) fn changes(&self, shepherd: &Shepherd, room: &mut BTreeMap<ProviderKey, Room>) -> Vec<(bool, Change)> {
        let mut changes = Vec::new();
        for unconfigured in [false, true] {
            let templates = self.templates(shepherd, unconfigured);
            let stock: Vec<_> = self.stock(shepherd, unconfigured).map(|row| row.stock.clone()).collect();
            let wanted = self.wanted_of(shepherd, unconfigured);
            let Self { waited_for, resting, .. } = self;
            let pasture = Pasture { wanted, templates: &templates, stock: &stock, waited_for, resting };
            changes.extend(shepherd::plan(&pasture, room).into_iter().map(|change| (unconfigured, change)));
        }
        changes
    }

    /// What of the changes is deployed.
    fn placed(&self, shepherd: &Shepherd, changes: &[(bool, Change)]) -> Vec<(Template, For)> {
        let to = For { user_group: shepherd.flock.id(), ..For::default() };
        let deployed = changes.iter().filter(|(_, change)| change.action == Action::Deploy);
        let each = deployed.flat_map(|(_, change)| {
            let template = self.templates.iter().find(|template| Some(template.id) == change.template);
            std::iter::repeat_n(template, change.count as usize).flatten()
        });
        each.map(|template| (template.clone(), to)).collect()
    }

    fn wanted_of(&self, shepherd: &Shepherd, unconfigured: bool) -> u32 {
        let measured = self.measured(shepherd).unwrap_or_default();
        let by_demand = shepherd.demand.as_ref().map(|demand| demand.wanted(self.now, measured));
        shepherd.wanted(unconfigured, by_demand)
    }

    /// Preconfigured ones that are wanted now.
    pub(crate) fn wanted(&self, shepherd: &Shepherd) -> u32 {
        self.wanted_of(shepherd, false)
    }

    /// What was measured for a shepherd that sizes by demand.
    pub(crate) fn measured(&self, shepherd: &Shepherd) -> Option<Measured> {
        self.measured.get(&(shepherd.group.clone(), shepherd.flock.id())).copied()
    }

    /// The newest version that is kept.
    pub(crate) fn version(&self, shepherd: &Shepherd) -> Option<String> {
        let preconfigured = self.templates(shepherd, false);
        let resolved = placement::resolve(&preconfigured);
        let resolved = resolved.or_else(|| placement::resolve(&self.templates(shepherd, true)));
        resolved.map(|(version, _)| version.as_str().to_owned())
    }

    /// How many it lacks of what it wants.
    fn missing(&self, shepherd: &Shepherd, unconfigured: bool) -> u32 {
        let Counted { warm, coming } = self.counted(shepherd, unconfigured);
        self.wanted_of(shepherd, unconfigured).saturating_sub(warm.saturating_add(coming))
    }

    /// The templates of the newest version and date that it sees.
    fn newest(&self, shepherd: &Shepherd, unconfigured: bool) -> Vec<TemplateId> {
        let templates = self.templates(shepherd, unconfigured);
        let Some((version, date)) = placement::resolve(&templates) else { return Vec::new() };
        templates.iter().filter(|t| t.version == version && t.date == date).map(|t| t.id).collect()
    }

    /// What there is that can be handed out, or will be.
    pub(crate) fn counted(&self, shepherd: &Shepherd, unconfigured: bool) -> Counted {
        let usable = self.stock(shepherd, unconfigured).filter(|row| row.stock.standing == Standing::Usable);
        usable.fold(Counted::default(), |sum, StockRow { stock, .. }| Counted {
            warm: sum.warm + stock.ready,
            coming: sum.coming + stock.coming + stock.requested,
        })
    }

    /// How full it is, of a thousand; one that wants nothing is full.
    fn filling(&self, shepherd: &Shepherd) -> u64 {
        let wanted = u64::from(self.wanted(shepherd)) + u64::from(shepherd.unconfigured);
        let count = |unconfigured| {
            let Counted { warm, coming } = self.counted(shepherd, unconfigured);
            u64::from(warm) + u64::from(coming)
        };
        ((count(false) + count(true)) * 1000).checked_div(wanted).unwrap_or(u64::MAX)
    }
}

async fn measure(
    tx: &mut dyn Tx,
    shepherds: &[Shepherd],
) -> Result<BTreeMap<(GroupName, Option<UserGroupId>), Measured>> {
    let mut measured = BTreeMap::new();
    // A query for each that sizes by demand, of which there are few.
    for shepherd in shepherds.iter().filter(|shepherd| shepherd.demand.is_some()) {
        let flock = shepherd.flock.id();
        let asked = tx.asked_for(&shepherd.group, flock, LATELY).await?;
        let hours = (asked.within.as_secs_f64() / 3600.0).max(1.0 / 60.0);
        let mut times = tx.deployment_times(&shepherd.group, SAMPLES).await?;
        times.sort_unstable();
        #[allow(clippy::cast_precision_loss, reason = "counts of appliances are far below what is lost")]
        let per_hour = asked.appliances as f64 / hours;
        let provisioning = times.get(times.len() / 2).copied();
        measured.insert((shepherd.group.clone(), flock), Measured { per_hour, provisioning });
    }
    Ok(measured)
}
