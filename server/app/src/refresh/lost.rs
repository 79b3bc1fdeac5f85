//! Lost records: what carries our tag with a number that no appliance ever had, as after an older copy of the database was put in place.
//!
//! Nothing of that is deleted: someone may be using it. It gets a record again, by which staff see, use and kill it like any other; it is of no pool and
//! of no template that anything is handed out from, and held, so that it is looked at by someone before it goes.

use std::{collections::BTreeSet, time::Duration};

use sprout_domain::{ProviderKey, Result, event::EventKind, lease, machine::Listed};

use crate::{ports::Topic, work::Work};

/// Staff have this long to look at what was rebuilt.
const HELD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Gives records to those of the listing with these names.
pub(super) async fn rebuild(work: &mut Work, key: &ProviderKey, listing: &[Listed], names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let names: BTreeSet<_> = names.iter().collect();
    let lost: Vec<_> = listing.iter().filter(|listed| names.contains(&listed.name)).cloned().collect();
    let reason =
        "its record was lost, and was rebuilt from its tag: look whose it is, and kill it when it is not needed";
    let until = lease::end(work.tx.now(), HELD);
    let rebuilt = work.tx.rebuild(key, &lost, until, reason).await?;
    for appliance in work.tx.appliances_by_id(&rebuilt).await? {
        let message = format!("{} on {key}: {reason}", appliance.name);
        work.emit_appliance(EventKind::ApplianceCreated, &appliance, message);
    }
    work.wake(Topic::Leases);
    Ok(())
}
