//! Keeping appliances warm: as many of each group's newest templates as the configuration wants.

use std::{collections::BTreeMap, time::Duration};

use sprout_domain::{Result, group::Group, lease, placement, room::NoRoom};

use crate::{
    App,
    appliance::{For, deploy},
    ports::{TemplateFilter, Topic},
    work::Work,
};

/// After a warm deployment failed, its group rests this long: a template that cannot work must not be tried without end.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(60);

impl App {
    /// Makes what is missing. Does nothing twice: what is on its way counts as there.
    pub async fn refill_warm(&self) -> Result<()> {
        for group in self.catalogue().groups.values().filter(|group| group.warm_count > 0) {
            let mut work = self.work().await?;
            // What another server has just begun counts as there; also if that one was thought dead, and is not.
            work.tx.take_turn(&format!("warm refill of {}", group.name)).await?;
            refill(&mut work, group).await?;
            work.commit().await?;
        }
        Ok(())
    }
}

async fn refill(work: &mut Work, group: &Group) -> Result<()> {
    let filter = TemplateFilter { group: Some(group.name.clone()), usable_only: true, ..TemplateFilter::default() };
    let mut templates = work.tx.templates(&filter).await?;
    let Some((version, date)) = placement::resolve(&templates) else { return Ok(()) };
    templates.retain(|t| t.version == version && t.date == date);
    let ids: Vec<_> = templates.iter().map(|t| t.id).collect();
    let there: u32 = work.tx.warm_counts(&ids).await?.values().sum();
    let missing = group.warm_count.saturating_sub(there);
    let rested_since = lease::begin(work.tx.now(), REST_AFTER_FAILURE);
    if missing == 0 || work.tx.warm_failed_since(&ids, rested_since).await? {
        return Ok(());
    }
    let keys: Vec<_> = templates.iter().map(|t| t.provider.clone()).collect();
    let mut room: BTreeMap<_, _> = work.tx.room(&keys).await?;
    // Warm appliances are a luxury: they never wait in a full provider's queue.
    room.retain(|_, room| room.fits(&room.usual).err().is_none_or(NoRoom::is_slot));
    let placed: Vec<_> = placement::place(missing, (None, None), &templates, &mut room, &[])
        .into_iter()
        .cloned()
        .map(|template| (template, For::default()))
        .collect();
    deploy(work, placed).await?;
    work.wake(Topic::Tasks);
    Ok(())
}
