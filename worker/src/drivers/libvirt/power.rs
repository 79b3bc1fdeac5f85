//! Power: on, off, restarted, frozen.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use virt::{domain::Domain, error::ErrorNumber, sys};

use super::{
    QUICK,
    daemon::{Call, Link},
    errors::{Doing, invalid, is},
    look,
};
use crate::driver::{PowerState, Result};

/// How long a guest may take to shut down before it is powered off.
const SHUTDOWN: Duration = Duration::from_secs(30);
/// The power button is pressed again this often: a guest that is still booting does not feel it.
const PRESS_AGAIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Powers on, or thaws.
pub(super) fn start(call: &Call, name: &str) -> Result<()> {
    let domain = call.domain(name)?;
    match look::power(&domain)? {
        PowerState::On => Ok(()),
        PowerState::Suspended if active(&domain)? => thaw(call, &domain, name),
        _ => create(call, &domain, name),
    }
}

/// [`start`] for one that has no saved memory to read, which would take long: whether that was done.
pub(super) fn start_at_once(call: &Call, name: &str) -> Result<bool> {
    let domain = call.domain(name)?;
    if look::power(&domain)? == PowerState::Suspended && !active(&domain)? {
        return Ok(false);
    }
    start(call, name).map(|()| true)
}

/// Powers off at once. Saved memory goes too.
pub(super) fn stop(call: &Call, name: &str) -> Result<()> {
    let Some(domain) = call.domain_if_any(name)? else { return Ok(()) };
    call.in_time()?;
    power_off(&domain, name)?;
    forget_memory(&domain, name)
}

/// Saves memory to disk and powers off (libvirt's managed save), so that a frozen appliance needs no memory and
/// survives a restart of its host. One that is paused is frozen already.
pub(super) fn suspend(call: &Call, name: &str) -> Result<()> {
    let domain = call.domain(name)?;
    match look::power(&domain)? {
        PowerState::Suspended => Ok(()),
        PowerState::Off => Err(invalid(format!("{name} is off and cannot be suspended: start it first"))),
        _ => {
            call.in_time()?;
            domain.managed_save(sys::VIR_DOMAIN_SAVE_RUNNING).doing(format_args!("suspend {name}"))
        }
    }
}

/// Thaws.
pub(super) fn resume(call: &Call, name: &str) -> Result<()> {
    let domain = call.domain(name)?;
    match look::power(&domain)? {
        PowerState::Off => Err(invalid(format!("{name} is off and cannot be resumed: start it"))),
        _ => start(call, name),
    }
}

/// Lets the guest shut down, powers it off if it does not, and starts it. In this way the end is certain: libvirt's own
/// reboot does not tell whether the guest heard it. Repeated after a crash in between, it starts what is off.
pub(super) async fn reboot(link: &Arc<Link>, name: &str) -> Result<()> {
    let begun = Instant::now();
    let mut pressed: Option<Instant> = None;
    while begun.elapsed() < SHUTDOWN {
        let press = pressed.is_none_or(|at| at.elapsed() >= PRESS_AGAIN);
        let owned = name.to_owned();
        if link.run(QUICK, move |call| shutting_down(call, &owned, press)).await? {
            break;
        }
        if press {
            pressed = Some(Instant::now());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let owned = name.to_owned();
    link.run(QUICK, move |call| {
        stop(call, &owned)?;
        start(call, &owned)
    })
    .await
}

/// Whether there is nothing (more) that could shut down by itself.
fn shutting_down(call: &Call, name: &str, press: bool) -> Result<bool> {
    let domain = call.domain(name)?;
    match look::power(&domain)? {
        PowerState::Off | PowerState::Suspended => Ok(true),
        PowerState::On if press => {
            // By ACPI: a guest agent that hangs would keep the call for a minute.
            match domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) {
                Err(error) if is(&error, ErrorNumber::OperationInvalid) => Ok(false), // off by now: seen at the next look
                result => result.map(|()| false).doing(format_args!("shut down {name}")),
            }
        }
        _ => Ok(false),
    }
}

/// Powers off what runs.
pub(super) fn power_off(domain: &Domain, name: &str) -> Result<()> {
    match domain.destroy() {
        Err(error) if is(&error, ErrorNumber::OperationInvalid) || is(&error, ErrorNumber::NoDomain) => Ok(()),
        result => result.doing(format_args!("power off {name}")),
    }
}

/// Removes saved memory.
pub(super) fn forget_memory(domain: &Domain, name: &str) -> Result<()> {
    let doing = format_args!("remove the saved memory of {name}").to_string();
    match domain.has_managed_save(0) {
        Ok(false) => Ok(()),
        Ok(true) => domain.managed_save_remove(0).doing(doing),
        Err(error) if is(&error, ErrorNumber::NoDomain) => Ok(()),
        Err(error) => Err(error).doing(doing),
    }
}

fn create(call: &Call, domain: &Domain, name: &str) -> Result<()> {
    call.in_time()?;
    match domain.create() {
        Err(error) if is(&error, ErrorNumber::OperationInvalid) && active(domain)? => Ok(()), // somebody was faster
        result => result.doing(format_args!("start {name}")),
    }
}

fn thaw(call: &Call, domain: &Domain, name: &str) -> Result<()> {
    call.in_time()?;
    domain.resume().doing(format_args!("resume {name}"))
}

fn active(domain: &Domain) -> Result<bool> {
    domain.is_active().doing("read the state of a domain")
}
