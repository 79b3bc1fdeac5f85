//! Shepherds: what is kept warm, as it is and as it would be. What they do is in `warm.rs`.

use std::collections::BTreeMap;

use sprout_domain::{
    Error, GroupName, Reason, Result,
    demand::{Demand, Measured},
    event::{Audience, EventKind, NewEvent},
    shepherd::{Action, Change, Flock, Shepherd},
    user::{Role, User},
};

use crate::{
    App,
    ports::{ShepherdFilter, Topic},
    warm::Meadow,
    work::repeated,
};

/// What someone wants to be kept warm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedShepherd {
    /// The group.
    pub group: GroupName,
    /// Name of the user group; none: for everyone.
    pub user_group: Option<String>,
    /// As in [`Shepherd`].
    pub preconfigured: u32,
    /// As in [`Shepherd`].
    pub unconfigured: u32,
    /// As in [`Shepherd`].
    pub demand: Option<Demand>,
}

/// A shepherd and what there is.
#[derive(Debug, Clone, PartialEq)]
pub struct ShepherdView {
    /// What is wanted.
    pub shepherd: Shepherd,
    /// Preconfigured ones wanted now.
    pub wanted: u32,
    /// Preconfigured ones ready to be handed out, and on their way.
    pub preconfigured: Counted,
    /// Unconfigured ones, likewise.
    pub unconfigured: Counted,
    /// Version that is kept; none: there is no template.
    pub version: Option<String>,
    /// Why there is less than wanted; empty: there is not.
    pub status: String,
    /// What was measured, where it sizes by demand.
    pub measured: Option<Measured>,
}

/// How many are warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Ready to be handed out.
    pub warm: u32,
    /// On their way.
    pub coming: u32,
}

/// What setting a shepherd would change.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedShepherd {
    /// How it is now.
    pub now: ShepherdView,
    /// Preconfigured ones that would be wanted.
    pub wanted: u32,
    /// What would be done first.
    pub changes: Vec<Change>,
}

impl App {
    /// The shepherds that the caller may see: all for staff, else those of the caller's user groups and those for everyone.
    pub async fn shepherds(&self, caller: &User, filter: ShepherdFilter) -> Result<Vec<ShepherdView>> {
        let member = (caller.role < Role::Staff).then_some(caller.id);
        let mut tx = self.ports.store.read().await?;
        let shepherds = tx.shepherds(&ShepherdFilter { member, ..filter }).await?;
        let meadow = Meadow::look(tx.as_mut(), &self.catalogue(), &shepherds, None).await?;
        Ok(shepherds.iter().map(|shepherd| view(&meadow, shepherd)).collect())
    }

    /// Sets what is kept warm of a group for a user group.
    pub async fn set_shepherd(&self, caller: &User, wanted: WantedShepherd) -> Result<ShepherdView> {
        repeated(|| self.try_set_shepherd(caller, &wanted)).await
    }

    async fn try_set_shepherd(&self, caller: &User, wanted: &WantedShepherd) -> Result<ShepherdView> {
        let mut work = self.work().await?;
        if let Some(name) = &wanted.user_group {
            // It is not deleted meanwhile.
            work.tx.lock_user_groups(std::slice::from_ref(name)).await?;
        }
        let shepherd = self.checked(work.tx.as_mut(), wanted).await?;
        work.tx.set_shepherd(&shepherd).await?;
        work.emit(NewEvent {
            user: Some(caller.name.clone()),
            audience: Some(shepherd.flock.id().map_or(Audience::Everyone, Audience::UserGroup)),
            ..NewEvent::new(EventKind::ShepherdChanged, said(&shepherd))
        });
        work.wake(Topic::Warm);
        let group = Some(&shepherd.group);
        let meadow = Meadow::look(work.tx.as_mut(), &self.catalogue(), std::slice::from_ref(&shepherd), group).await?;
        let view = view(&meadow, &shepherd);
        work.commit().await?;
        Ok(view)
    }

    /// What [`App::set_shepherd`] would change; changes nothing.
    pub async fn plan_shepherd(&self, wanted: &WantedShepherd) -> Result<PlannedShepherd> {
        let mut tx = self.ports.store.read().await?;
        let planned = self.checked(tx.as_mut(), wanted).await?;
        let filter = ShepherdFilter { group: Some(planned.group.clone()), ..ShepherdFilter::default() };
        let known = tx.shepherds(&filter).await?.into_iter().find(|shepherd| shepherd.flock == planned.flock);
        let known =
            known.unwrap_or_else(|| Shepherd { preconfigured: 0, unconfigured: 0, demand: None, ..planned.clone() });
        let both = [known, planned];
        let meadow = Meadow::look(tx.as_mut(), &self.catalogue(), &both, Some(&both[1].group)).await?;
        let now = view(&meadow, &both[0]);
        let wanted = meadow.wanted(&both[1]);
        let changes = meadow.changes(&both[1], &mut meadow.room()).into_iter().map(|(_, change)| change).collect();
        Ok(PlannedShepherd { now, wanted, changes })
    }

    /// How many appliances of each group, or of one, are kept warm for all user groups together; by demand, the least.
    pub(crate) async fn warm_counts(&self, group: Option<&GroupName>) -> Result<BTreeMap<GroupName, u32>> {
        let filter = ShepherdFilter { group: group.cloned(), ..ShepherdFilter::default() };
        let mut tx = self.ports.store.read().await?;
        let now = tx.now();
        let mut counts = BTreeMap::new();
        for shepherd in tx.shepherds(&filter).await? {
            let least = shepherd.demand.as_ref().map(|demand| demand.least(now));
            *counts.entry(shepherd.group.clone()).or_default() += shepherd.wanted(false, least) + shepherd.unconfigured;
        }
        Ok(counts)
    }

    /// The shepherd that is wanted, if it can be.
    async fn checked(&self, tx: &mut dyn crate::ports::Tx, wanted: &WantedShepherd) -> Result<Shepherd> {
        let WantedShepherd { group, user_group, preconfigured, unconfigured, demand } = wanted;
        self.catalogue().group(group)?;
        let flock = match user_group {
            None => Flock::Everyone,
            Some(name) => {
                let missing = || {
                    let message = format!("there is no user group {name}; `sproutctl user-group list` shows them");
                    Error::new(Reason::UserGroupNotFound, message).with("user_group", name)
                };
                Flock::UserGroup { id: tx.user_group_id(name).await?.ok_or_else(missing)?, name: name.clone() }
            }
        };
        let shepherd = Shepherd {
            group: group.clone(),
            flock,
            preconfigured: *preconfigured,
            unconfigured: *unconfigured,
            demand: demand.clone(),
        };
        shepherd.check()?;
        Ok(shepherd)
    }
}

fn said(shepherd: &Shepherd) -> String {
    let Shepherd { group, flock, preconfigured, unconfigured, demand } = shepherd;
    match demand {
        _ if shepherd.is_idle() => format!("nothing of {group} is kept warm for {flock} any more"),
        None => {
            format!("{preconfigured} of {group} are to be kept warm for {flock}, and {unconfigured} unconfigured")
        }
        Some(demand) => {
            format!("{} to {} of {group} are to be kept warm for {flock}, by demand", demand.min, demand.max)
        }
    }
}

fn view(meadow: &Meadow, shepherd: &Shepherd) -> ShepherdView {
    let changes = meadow.changes(shepherd, &mut meadow.room());
    let waits = changes.iter().find(|(_, change)| change.action == Action::Wait);
    let deployed: u32 =
        changes.iter().filter(|(_, change)| change.action == Action::Deploy).map(|(_, change)| change.count).sum();
    let (preconfigured, unconfigured) = (meadow.counted(shepherd, false), meadow.counted(shepherd, true));
    let wanted = meadow.wanted(shepherd);
    let lacks = preconfigured.warm < wanted || unconfigured.warm < shepherd.unconfigured;
    let status = match waits {
        Some((_, change)) => change.reason.clone(),
        None if !lacks => String::new(),
        None if deployed > 0 => format!("{deployed} are about to be deployed"),
        None => "being deployed".to_owned(),
    };
    ShepherdView {
        wanted,
        preconfigured,
        unconfigured,
        version: meadow.version(shepherd),
        status,
        measured: meadow.measured(shepherd),
        shepherd: shepherd.clone(),
    }
}
