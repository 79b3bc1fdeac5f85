//! What the host can do: which kind of virtualization, and how large an appliance may be.

use std::fs;

use virt::sys;

use super::{
    daemon::Call,
    errors::Doing,
    seen::{has_feature, host_cpu, offers_kvm},
    xml::HypervisorType,
};
use crate::driver::{DriverError, Reason, Result};

/// Processor features of Intel and AMD without which KVM cannot work.
const VIRTUALIZATION: [&str; 2] = ["vmx", "svm"];

/// The settings' kind of virtualization, or the best that works. That the host offers KVM proves little: where the
/// processor's features are hidden from it (a virtual machine itself), guests hang at boot. So the features must be there too.
pub(super) fn hypervisor(call: &Call) -> Result<HypervisorType> {
    if let Some(set) = call.settings.hypervisor {
        return Ok(set);
    }
    let capabilities = call.connection().capabilities().doing("read the host's capabilities")?;
    let works = offers_kvm(&capabilities)?
        && if call.settings.is_local() {
            local_cpu_virtualizes()
        } else {
            remote_cpu_virtualizes(call, &capabilities)?
        };
    Ok(if works { HypervisorType::Kvm } else { HypervisorType::Qemu })
}

fn local_cpu_virtualizes() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    flags
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|flag| VIRTUALIZATION.contains(&flag)))
}

/// Capabilities name a processor model and what it has beyond it; the daemon spells out what the model includes.
fn remote_cpu_virtualizes(call: &Call, capabilities: &str) -> Result<bool> {
    let Some(cpu) = host_cpu(capabilities)? else { return Ok(false) };
    let all = call
        .connection()
        .baseline_cpu(&[&cpu], sys::VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES)
        .doing("read the features of the host's processor")?;
    has_feature(&all, &VIRTUALIZATION)
}

/// Memory in MiB, and CPUs, of the whole host.
pub(super) fn size(call: &Call) -> Result<(u64, u64)> {
    let host = call.connection().node_info().doing("read the size of the host")?;
    Ok((host.memory / 1024, host.cpus.into()))
}

/// Refuses a size that the host can never give.
pub(super) fn fits(call: &Call, memory_mib: u32, cpus: u32) -> Result<()> {
    let host = call.connection().node_info().doing("read the size of the host")?;
    let host_mib = host.memory / 1024;
    if u64::from(memory_mib) > host_mib {
        return Err(DriverError::new(
            Reason::NoCapacity,
            format!("{memory_mib} MiB of memory are asked for and the whole host has {host_mib}: ask for less"),
        ));
    }
    let most = call.connection().max_vcpus(None).doing("read how many CPUs a machine may have")?;
    if cpus > most {
        return Err(DriverError::new(
            Reason::NoCapacity,
            format!("{cpus} CPUs are asked for and a machine there may have {most}: ask for fewer"),
        ));
    }
    Ok(())
}
