//! The extra disk of an appliance.

use std::{sync::Arc, time::Duration};

use virt::{domain::Domain, error::Error, sys};

use super::{
    QUICK,
    daemon::{Call, Link},
    errors::{Doing, invalid},
    life::affected,
    look, volumes,
    xml::{self, EXTRA_DISK, MAIN_DISK},
};
use crate::driver::{DriverError, PowerState, Reason, Result};

/// A guest must let go of a disk; one that boots or has it mounted may never do.
const LETTING_GO: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Makes an empty disk and attaches it. A disk made by an earlier try and not attached is replaced.
pub(super) fn attach(call: &Call, name: &str, size_mib: u64) -> Result<()> {
    let (domain, seen) = changeable(call, name)?;
    if seen.disk(EXTRA_DISK).is_some() {
        return Ok(());
    }
    let volume_name = extra_of(name, &seen)?;
    let bytes = size_mib.checked_mul(1 << 20).filter(|bytes| *bytes > 0);
    let bytes =
        bytes.ok_or_else(|| invalid(format!("a disk of {size_mib} MiB cannot be made: ask for another size")))?;
    let pool = call.pool()?;
    let available = pool.info().doing("look at the storage pool")?.available;
    if bytes > available {
        let (pool, left) = (&call.settings.storage_pool, available >> 20);
        let message = format!(
            "a disk of {size_mib} MiB is asked for and the storage pool {pool:?} has {left} left: ask for less or make room"
        );
        return Err(DriverError::new(Reason::NoCapacity, message));
    }
    let volume = volumes::create(call, &pool, &volume_name, &xml::volume(&volume_name, bytes, None))?;
    let path = volume.path().doing("read the path of a volume")?;
    let active = domain.is_active().doing("read the state of a domain")?;
    call.in_time()?;
    domain
        .attach_device_flags(&xml::disk(&path, EXTRA_DISK), affected(active))
        .doing(format_args!("attach a disk to {name}"))
}

/// Detaches the disk, waits until the guest has let go of it, and deletes it.
pub(super) async fn detach(link: &Arc<Link>, name: &str) -> Result<()> {
    let waiting = async {
        loop {
            let owned = name.to_owned();
            if link.run(QUICK, move |call| detached(call, &owned)).await? {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(LETTING_GO, waiting).await.unwrap_or_else(|_| {
        let message = format!(
            "the guest of {name} does not let go of its extra disk: unmount it there, or power the appliance off"
        );
        Err(DriverError::new(Reason::ProviderError, message))
    })
}

/// One try; whether the disk is gone.
fn detached(call: &Call, name: &str) -> Result<bool> {
    let (domain, seen) = changeable(call, name)?;
    let detach = |path: &str, flag| match domain.detach_device_flags(&xml::disk(path, EXTRA_DISK), flag) {
        Err(error) if is_under_way(&error) => Ok(()),
        result => result.doing(format_args!("detach the extra disk of {name}")),
    };
    call.in_time()?;
    if let Some(path) = seen.disk(EXTRA_DISK) {
        detach(path, sys::VIR_DOMAIN_AFFECT_CONFIG)?;
    }
    if domain.is_active().doing("read the state of a domain")? {
        if let Some(path) = look::live(&domain)?.disk(EXTRA_DISK) {
            detach(path, sys::VIR_DOMAIN_AFFECT_LIVE)?;
        }
        if look::live(&domain)?.disk(EXTRA_DISK).is_some() {
            return Ok(false);
        }
    }
    let Some(path) = seen.disk(MAIN_DISK).and_then(volumes::extra_path) else { return Ok(true) };
    volumes::delete_path(call, &path)?;
    Ok(true)
}

/// The guest was asked before and has not let go yet.
fn is_under_way(error: &Error) -> bool {
    error.message().contains("already in the process of unplug")
}

/// The domain and its configuration. One whose memory is saved would wake up with the disks it had.
fn changeable(call: &Call, name: &str) -> Result<(Domain, super::seen::Seen)> {
    let domain = call.domain(name)?;
    let saved =
        look::power(&domain)? == PowerState::Suspended && !domain.is_active().doing("read the state of a domain")?;
    if saved {
        return Err(invalid(format!(
            "{name} is suspended and its disks cannot change: resume it or power it off first"
        )));
    }
    let seen = look::config(&domain)?;
    Ok((domain, seen))
}

fn extra_of(name: &str, seen: &super::seen::Seen) -> Result<String> {
    let own = seen.disk(MAIN_DISK).and_then(volumes::extra_name);
    own.ok_or_else(|| {
        invalid(format!(
            "{name} has no disk made by Sprout, so it gets no extra one: use an appliance cloned by Sprout"
        ))
    })
}
