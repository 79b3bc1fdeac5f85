//! Snapshots: inside the qcow2 disks, with memory where the appliance is on.

use virt::{domain::Domain, domain_snapshot::DomainSnapshot, error::ErrorNumber, sys};

use super::{
    daemon::Call,
    errors::{Doing, invalid, is},
    life::mark,
    look,
    power::forget_memory,
    seen::Seen,
    xml,
};
use crate::driver::{PowerState, Result};

/// Remembers the present state; an older one of this name goes first, for libvirt cannot keep two.
pub(super) fn take(call: &Call, name: &str, snapshot: &str) -> Result<()> {
    check_name(snapshot)?;
    let domain = call.domain(name)?;
    if look::power(&domain)? == PowerState::Suspended {
        return Err(invalid(format!(
            "{name} is suspended and a snapshot would miss its memory: resume it or power it off first"
        )));
    }
    if let Some(older) = find(&domain, snapshot)? {
        call.in_time()?;
        older.delete(0).doing(format_args!("delete the older snapshot {snapshot:?} of {name}"))?;
    }
    call.in_time()?;
    domain
        .create_snapshot_xml(&xml::snapshot(snapshot), 0)
        .map(drop)
        .doing(format_args!("take the snapshot {snapshot:?} of {name}"))
}

/// Goes back: disks, memory, size and power state are as they were; our marks stay as they are.
pub(super) fn revert(call: &Call, name: &str, snapshot: &str) -> Result<()> {
    let domain = call.domain(name)?;
    let Some(found) = find(&domain, snapshot)? else {
        return Err(invalid(format!("{name} has no snapshot {snapshot:?}: take it first")));
    };
    let now = look::config(&domain)?;
    let then = Seen::parse_snapshot(&found.xml_desc(0).doing("look at a snapshot")?)?;
    // libvirt would power it off before it finds out.
    if then.disk_paths().any(|path| !now.disk_paths().any(|disk| disk == path)) {
        return Err(invalid(format!(
            "the snapshot {snapshot:?} of {name} includes an extra disk that was detached since: take a new one"
        )));
    }
    call.in_time()?;
    // Memory saved later does not fit to the disks of then.
    forget_memory(&domain, name)?;
    found
        .revert(sys::VIR_DOMAIN_SNAPSHOT_REVERT_FORCE)
        .doing(format_args!("go back to the snapshot {snapshot:?} of {name}"))?;
    match now.tags {
        Some(tags) if look::config(&domain)?.tags.as_ref() != Some(&tags) => mark(&domain, &tags),
        _ => Ok(()),
    }
}

fn find(domain: &Domain, snapshot: &str) -> Result<Option<DomainSnapshot>> {
    check_name(snapshot)?;
    match Domain::lookup_snapshot_by_name(domain, snapshot, 0) {
        Err(error) if is(&error, ErrorNumber::NoDomainSnapshot) => Ok(None),
        result => result.map(Some).doing(format_args!("look for the snapshot {snapshot:?}")),
    }
}

/// libvirt keeps what it knows of a snapshot in a file of that name.
fn check_name(snapshot: &str) -> Result<()> {
    if !snapshot.is_empty()
        && snapshot.len() <= 200
        && !snapshot.starts_with('.')
        && !snapshot.contains('/')
        && !snapshot.chars().any(char::is_control)
    {
        return Ok(());
    }
    Err(invalid(format!("{snapshot:?} cannot be the name of a snapshot: use letters, digits, and ._-")))
}
