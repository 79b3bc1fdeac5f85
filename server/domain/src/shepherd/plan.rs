//! What is to be done so that as many are warm as are wanted.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ProviderKey, TemplateId, placement,
    room::{NoRoom, Room},
    template::{BuildDate, Template},
    version::Version,
};

/// What there is to decide by, of one kind of appliances of one shepherd.
#[derive(Debug)]
pub struct Pasture<'a> {
    /// How many are to be warm.
    pub wanted: u32,
    /// Templates that can be cloned, on providers that the user group sees.
    pub templates: &'a [Template],
    /// What is there or on its way.
    pub stock: &'a [Stock],
    /// Providers that users wait for: nothing goes there before them.
    pub waited_for: &'a BTreeSet<ProviderKey>,
    /// Templates whose last warm deployment failed a moment ago.
    pub resting: &'a BTreeSet<TemplateId>,
}

/// Warm appliances of one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// The template.
    pub template_id: TemplateId,
    /// Where it is.
    pub provider: ProviderKey,
    /// Its version.
    pub version: Version,
    /// Its date.
    pub date: BuildDate,
    /// Whether they can be handed out.
    pub standing: Standing,
    /// Wanted, and nothing was asked of the provider yet.
    pub requested: u32,
    /// Being made.
    pub coming: u32,
    /// Ready.
    pub ready: u32,
    /// Being killed: they still take room.
    pub leaving: u32,
}

/// Whether warm appliances of a template can be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They can.
    Usable,
    /// Not while their provider does not work. They are kept, and do not count.
    Away,
    /// Not while the template is quarantined. What is on its way may be the try whether it has healed, and is awaited.
    Quarantined,
    /// Not any more: the template is gone, or its provider disabled, hidden, or not seen by the user group.
    Unusable,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub action: Action,
    /// How many.
    pub count: u32,
    /// From which template, or of which.
    pub template: Option<TemplateId>,
    /// Where.
    pub provider: Option<ProviderKey>,
    /// Of which version.
    pub version: Option<Version>,
    /// Why, or why not yet; for people.
    pub reason: String,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Deploy now.
    Deploy,
    /// Deploy when there is room.
    Wait,
    /// Kill the oldest.
    Kill(Part),
}

/// Which of the warm appliances of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Wanted, and nothing was asked of the provider yet.
    Requested,
    /// Being made.
    Coming,
    /// Ready.
    Ready,
}

/// Decides what is to be done: what cannot be handed out goes, the newest build is brought to the wanted number as far as providers have free
/// slots, older builds go as new ones get ready, and so does what is too many. What is deployed is added to `room`.
pub fn plan(pasture: &Pasture<'_>, room: &mut BTreeMap<ProviderKey, Room>) -> Vec<Change> {
    let build = placement::resolve(pasture.templates);
    let is_newest = |stock: &&Stock| build.as_ref().is_some_and(|(v, d)| *v == stock.version && *d == stock.date);
    let usable = || pasture.stock.iter().filter(|stock| stock.standing == Standing::Usable);
    let newest: Vec<_> = usable().filter(is_newest).collect();
    let mut older: Vec<_> = usable().filter(|stock| !is_newest(stock)).collect();
    older.sort_by(|a, b| (&a.version, a.date).cmp(&(&b.version, b.date)));

    let mut changes = retire_unusable(pasture.stock);
    let kept = retire_older(&older, pasture.wanted.saturating_sub(sum(&newest, |s| s.ready)), &mut changes);
    remove_surplus(&newest, pasture.wanted, &mut changes);
    let there = sum(&newest, |s| s.requested + s.coming + s.ready);
    let missing = pasture.wanted.saturating_sub(there);
    if missing > 0 {
        fill(pasture, build, missing, &kept, room, &mut changes);
    }
    changes
}

fn sum(stock: &[&Stock], count: impl Fn(&Stock) -> u32) -> u32 {
    stock.iter().map(|stock| count(stock)).fold(0, u32::saturating_add)
}

fn kill(stock: &Stock, part: Part, count: u32, reason: &str) -> Change {
    Change {
        action: Action::Kill(part),
        count,
        template: Some(stock.template_id),
        provider: Some(stock.provider.clone()),
        version: Some(stock.version.clone()),
        reason: reason.to_owned(),
    }
}

fn retire_unusable(stock: &[Stock]) -> Vec<Change> {
    let why = "its template or provider can no longer be used";
    let each = stock.iter().flat_map(|stock| {
        let (requested, coming, ready) = match stock.standing {
            Standing::Usable | Standing::Away => (0, 0, 0),
            Standing::Quarantined => (0, 0, stock.ready),
            Standing::Unusable => (stock.requested, stock.coming, stock.ready),
        };
        let parts = [(Part::Requested, requested), (Part::Coming, coming), (Part::Ready, ready)];
        parts.into_iter().filter(|(_, count)| *count > 0).map(|(part, count)| kill(stock, part, count, why))
    });
    each.collect()
}

/// Older builds fill the gap until new ones are ready, the newest of them longest. What is under way is awaited, as it may be there sooner. Returns
/// what is kept of them, the oldest first.
fn retire_older<'a>(older: &[&'a Stock], gap: u32, changes: &mut Vec<Change>) -> Vec<(&'a Stock, u32)> {
    let why = "a newer build is kept warm";
    let mut surplus = sum(older, |s| s.ready).saturating_sub(gap);
    let mut kept = Vec::new();
    for stock in older {
        if stock.requested > 0 {
            changes.push(kill(stock, Part::Requested, stock.requested, why));
        }
        let count = stock.ready.min(surplus);
        surplus -= count;
        if count > 0 {
            changes.push(kill(stock, Part::Ready, count, why));
        }
        if stock.ready > count {
            kept.push((*stock, stock.ready - count));
        }
    }
    kept
}

/// What was not begun goes first; what is under way is awaited, and then the oldest go.
fn remove_surplus(newest: &[&Stock], wanted: u32, changes: &mut Vec<Change>) {
    let why = "more are warm than are wanted";
    let ready = sum(newest, |s| s.ready);
    let mut surplus = sum(newest, |s| s.requested + s.coming + s.ready).saturating_sub(wanted);
    for stock in newest {
        let count = stock.requested.min(surplus);
        surplus -= count;
        if count > 0 {
            changes.push(kill(stock, Part::Requested, count, why));
        }
    }
    let mut surplus = surplus.min(ready.saturating_sub(wanted));
    // The fullest provider is relieved first.
    let mut by_count: Vec<_> = newest.to_vec();
    by_count.sort_by_key(|stock| std::cmp::Reverse(stock.ready));
    for stock in by_count {
        let count = stock.ready.min(surplus);
        surplus -= count;
        if count > 0 {
            changes.push(kill(stock, Part::Ready, count, why));
        }
    }
}

/// Why nothing can be deployed on a provider now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    Users,
    Resting,
    NoRoom(NoRoom),
}

impl Obstacle {
    fn of(template: &Template, pasture: &Pasture<'_>, room: &BTreeMap<ProviderKey, Room>) -> Option<Self> {
        if pasture.resting.contains(&template.id) {
            return Some(Self::Resting);
        }
        if pasture.waited_for.contains(&template.provider) {
            return Some(Self::Users);
        }
        let fits = room.get(&template.provider).map_or(Err(NoRoom::NotWorking), |room| room.fits(&room.usual));
        fits.err().map(Self::NoRoom)
    }

    /// The lower, the sooner it passes.
    fn rank(self) -> u8 {
        match self {
            Self::NoRoom(why) if why.is_slot() => 0,
            Self::Users => 1,
            Self::Resting => 2,
            Self::NoRoom(_) => 3,
        }
    }

    /// Something has to go before anything fits.
    fn is_full(self) -> bool {
        use NoRoom as N;
        matches!(self, Self::NoRoom(N::ApplianceLimit { .. } | N::Memory { .. } | N::Cpus { .. }))
    }

    fn reason(self, template: &Template) -> String {
        let provider = &template.provider;
        match self {
            Self::Users => format!("users wait for {provider}, and come first"),
            Self::Resting => format!("the last deployment of {} failed; it is tried again in a minute", template.name),
            Self::NoRoom(why) => format!("{provider}: {why}"),
        }
    }
}

fn fill(
    pasture: &Pasture<'_>,
    build: Option<(Version, BuildDate)>,
    missing: u32,
    kept: &[(&Stock, u32)],
    room: &mut BTreeMap<ProviderKey, Room>,
    changes: &mut Vec<Change>,
) {
    let wait = |reason: String, template: Option<&Template>, count| Change {
        action: Action::Wait,
        count,
        template: template.map(|template| template.id),
        provider: template.map(|template| template.provider.clone()),
        version: template.map(|template| template.version.clone()),
        reason,
    };
    let Some((version, date)) = build else {
        changes.push(wait("no template can be used: none is found on a provider that works".to_owned(), None, missing));
        return;
    };
    let newest: Vec<_> = pasture.templates.iter().filter(|t| t.version == version && t.date == date).cloned().collect();
    let (placed, left) = spread(pasture, &newest, missing, room);
    for template in &newest {
        let Some(count) = placed.get(&template.id) else { continue };
        let reason = "there is room".to_owned();
        changes.push(Change { action: Action::Deploy, ..wait(reason, Some(template), *count) });
    }
    if left == 0 {
        return;
    }
    // The obstacle that passes soonest is what it waits for.
    let obstacles = newest.iter().filter_map(|t| Some((Obstacle::of(t, pasture, room)?, t)));
    let Some((obstacle, template)) = obstacles.min_by_key(|(obstacle, _)| obstacle.rank()) else { return };
    if obstacle.is_full()
        && let Some(change) = make_room(pasture, &newest, kept)
    {
        changes.push(change);
    }
    changes.push(wait(obstacle.reason(template), Some(template), left));
}

/// Places one after the other where there is most room; returns how many of each template, and how many found no place.
fn spread(
    pasture: &Pasture<'_>,
    newest: &[Template],
    missing: u32,
    room: &mut BTreeMap<ProviderKey, Room>,
) -> (BTreeMap<TemplateId, u32>, u32) {
    let mut placed: BTreeMap<TemplateId, u32> = BTreeMap::new();
    for left in (1..=missing).rev() {
        let open: Vec<_> = newest.iter().filter(|t| Obstacle::of(t, pasture, room).is_none()).cloned().collect();
        let Some(template) = placement::place(1, (None, None), &open, room, &[]).first().map(|template| template.id)
        else {
            return (placed, left);
        };
        *placed.entry(template).or_default() += 1;
    }
    (placed, 0)
}

/// Where old ones take all the room, one at a time makes way for a new one; the only gap that there is.
fn make_room(pasture: &Pasture<'_>, newest: &[Template], kept: &[(&Stock, u32)]) -> Option<Change> {
    let makes_way = pasture.stock.iter().any(|stock| stock.leaving > 0);
    let is_candidate = |stock: &Stock| newest.iter().any(|template| template.provider == stock.provider);
    let (stock, _) = kept.iter().find(|(stock, _)| !makes_way && is_candidate(stock))?;
    Some(kill(stock, Part::Ready, 1, "its provider is full, and a newer build needs the room"))
}
