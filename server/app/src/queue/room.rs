//! Making room: warm appliances that nobody waits for give way to those who do.

use std::collections::BTreeMap;

use sprout_domain::{ApplianceId, ProviderKey, Result, appliance::ApplianceState};

use super::Round;
use crate::{
    App,
    kill::{kill_appliances, lock},
    ports::Spare,
    work::repeated,
};

impl App {
    /// Kills warm appliances on these providers, as many as seats wait for room there, less what is being killed there already.
    pub(super) async fn make_room(&self, round: &Round, crowded: &BTreeMap<ProviderKey, u32>) -> Result<()> {
        let mut tx = self.ports.store.read().await?;
        let keys: Vec<_> = crowded.keys().cloned().collect();
        let (spares, killing) = tx.spares(&keys).await?;
        drop(tx);
        let wanted = round.wanted_warm();
        let spares = spares.into_iter().filter(|spare| !wanted.contains(&spare.template));
        let victims = victims(spares, crowded, &killing);
        if victims.is_empty() {
            return Ok(());
        }
        repeated(|| self.give_way(&victims)).await
    }

    async fn give_way(&self, victims: &[ApplianceId]) -> Result<()> {
        let mut work = self.work().await?;
        // Someone may have been granted one since the look.
        let spare: Vec<_> = lock(&mut work, victims)
            .await?
            .into_iter()
            .filter(|appliance| appliance.pool_id.is_none() && appliance.state == ApplianceState::Ready)
            .map(|appliance| appliance.id)
            .collect();
        kill_appliances(&mut work, &spare, "it makes room for someone who waits").await?;
        work.commit().await
    }
}

fn victims(
    spares: impl Iterator<Item = Spare>,
    crowded: &BTreeMap<ProviderKey, u32>,
    killing: &BTreeMap<ProviderKey, u32>,
) -> Vec<ApplianceId> {
    let left = |(key, seats): (&ProviderKey, &u32)| {
        (key.clone(), seats.saturating_sub(killing.get(key).copied().unwrap_or_default()))
    };
    let mut left: BTreeMap<ProviderKey, u32> = crowded.iter().map(left).collect();
    let mut victims = Vec::new();
    for spare in spares {
        if let Some(count) = left.get_mut(&spare.provider).filter(|count| **count > 0) {
            *count -= 1;
            victims.push(spare.id);
        }
    }
    victims
}
