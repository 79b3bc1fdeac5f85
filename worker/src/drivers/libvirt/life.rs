//! Making, marking, changing and deleting appliances.

use virt::{domain::Domain, error::ErrorNumber, sys};

use super::{
    daemon::Call,
    errors::{Doing, invalid, is},
    host, look, power,
    seen::Seen,
    volumes,
    xml::{self, DomainXml},
};
use crate::driver::{CloneSpec, DriverError, PowerState, Reason, Result, Tags};

/// A linked clone: a volume that holds what differs from the template, then a domain that carries our marks from the
/// first moment. Dying between the two leaves the volume, which the next try replaces and [`delete`] finds.
pub(super) fn clone(call: &Call, spec: &CloneSpec) -> Result<()> {
    volumes::check_name(&spec.name)?;
    if spec.tags.installation_id.chars().any(char::is_control) {
        return Err(invalid("the installation id holds a control character: correct it in the server's settings"));
    }
    if call.domain_if_any(&spec.name)?.is_some() {
        return Err(taken(&spec.name));
    }
    let memory_mib = spec.memory_mib.unwrap_or(call.settings.memory_mib);
    let cpus = spec.cpus.unwrap_or(call.settings.cpus);
    host::fits(call, memory_mib, cpus)?;
    check_network(call)?;
    let pool = call.pool()?;
    let template = volumes::look(&volumes::template(&pool, &spec.template)?)?;
    let hypervisor = host::hypervisor(call)?;

    let volume_name = volumes::disk_name(&spec.name, &spec.tags);
    let volume_xml = xml::volume(&volume_name, template.capacity_bytes, Some((&template.path, &template.format)));
    let volume = volumes::create(call, &pool, &volume_name, &volume_xml)?;
    let disk = volume.path().doing("read the path of a volume")?;
    let (name, network) = (spec.name.as_str(), call.settings.network.as_str());
    let domain = DomainXml { name, tags: &spec.tags, hypervisor, memory_mib, cpus, disk: &disk, network };
    call.in_time()?;
    let Err(error) = call.connection().define_domain_xml(&domain.to_string()) else { return Ok(()) };
    // Lost a race? Then the volume may be the winner's.
    if call.domain_if_any(name)?.is_some() {
        return Err(taken(name));
    }
    volumes::delete(&volume, &volume_name)?;
    Err(error).doing(format_args!("define {name}"))
}

/// Writes our marks, for now and for every start to come; never on what this installation did not make, for marks
/// are a licence to delete.
pub(super) fn tag(call: &Call, name: &str, tags: &Tags) -> Result<()> {
    let domain = call.domain(name)?;
    match look::config(&domain)?.tags {
        Some(found) if found.installation_id == tags.installation_id => {
            call.in_time()?;
            mark(&domain, tags)
        }
        _ => Err(taken(name)),
    }
}

/// See [`tag`].
pub(super) fn mark(domain: &Domain, tags: &Tags) -> Result<()> {
    let active = domain.is_active().doing("read the state of a domain")?;
    domain
        .set_metadata(
            i32::try_from(sys::VIR_DOMAIN_METADATA_ELEMENT).unwrap_or_default(),
            Some(&xml::bare_tags(tags)),
            Some(xml::PREFIX),
            Some(xml::NAMESPACE),
            affected(active),
        )
        .doing("mark a domain")
}

/// Flags for a change that is to hold now and for every start to come.
pub(super) fn affected(active: bool) -> u32 {
    sys::VIR_DOMAIN_AFFECT_CONFIG | if active { sys::VIR_DOMAIN_AFFECT_LIVE } else { 0 }
}

/// Changes the name of one that is off.
pub(super) fn rename(call: &Call, name: &str, new_name: &str) -> Result<()> {
    volumes::check_name(new_name)?;
    if name == new_name {
        return call.domain(name).map(drop);
    }
    let (old, new) = (call.domain_if_any(name)?, call.domain_if_any(new_name)?);
    let domain = match (old, new) {
        (Some(_), Some(_)) => return Err(taken(new_name)),
        (None, Some(_)) => return Ok(()),
        (old, None) => old.ok_or_else(|| DriverError::not_found(name))?,
    };
    must_be_off(&domain, name, "renamed")?;
    call.in_time()?;
    domain.rename(new_name, 0).map(drop).doing(format_args!("rename {name} to {new_name}"))
}

/// Changes memory and CPUs of one that is off.
pub(super) fn resize(call: &Call, name: &str, memory_mib: Option<u32>, cpus: Option<u32>) -> Result<()> {
    let domain = call.domain(name)?;
    must_be_off(&domain, name, "resized")?;
    if memory_mib == Some(0) || cpus == Some(0) {
        return Err(invalid(format!("{name} cannot have 0 MiB of memory or 0 CPUs: ask for more, or leave it out")));
    }
    host::fits(call, memory_mib.unwrap_or_default(), cpus.unwrap_or_default())?;
    call.in_time()?;
    // The maximum first: it pulls the present value down with it, and must be up before that can grow.
    if let Some(kib) = memory_mib.map(|mib| u64::from(mib) * 1024) {
        for flag in [sys::VIR_DOMAIN_MEM_MAXIMUM, sys::VIR_DOMAIN_MEM_CURRENT] {
            domain
                .set_memory_flags(kib, sys::VIR_DOMAIN_MEM_CONFIG | flag)
                .doing(format_args!("change the memory of {name}"))?;
        }
    }
    if let Some(cpus) = cpus {
        for flag in [sys::VIR_DOMAIN_VCPU_MAXIMUM, sys::VIR_DOMAIN_VCPU_CURRENT] {
            domain
                .set_vcpus_flags(cpus, sys::VIR_DOMAIN_VCPU_CONFIG | flag)
                .doing(format_args!("change the CPUs of {name}"))?;
        }
    }
    Ok(())
}

/// Deletes the appliance, its disks first and its domain last: as long as anything is left, the domain tells what.
pub(super) fn delete(call: &Call, name: &str, tags: Option<&Tags>) -> Result<()> {
    let Some(domain) = call.domain_if_any(name)? else {
        return tags.map_or(Ok(()), |tags| delete_leftover(call, name, tags));
    };
    let seen = look::config(&domain)?;
    let fit = match (&seen.tags, tags) {
        (Some(found), Some(tags)) => is_ours(found, tags),
        (found, tags) => found.is_none() && tags.is_none(),
    };
    if !fit {
        return Err(taken(name));
    }
    call.in_time()?;
    power::power_off(&domain, name)?;
    for path in volumes_of(&seen) {
        call.in_time()?;
        volumes::delete_path(call, &path)?;
    }
    let everything = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | sys::VIR_DOMAIN_UNDEFINE_NVRAM;
    match domain.undefine_flags(everything) {
        Err(error) if is(&error, ErrorNumber::NoDomain) => Ok(()),
        result => result.doing(format_args!("undefine {name}")),
    }
}

/// What an interrupted clone leaves: a volume that no domain has yet.
fn delete_leftover(call: &Call, name: &str, tags: &Tags) -> Result<()> {
    let volume_name = volumes::disk_name(name, tags);
    let Some(volume) = volumes::find(&call.pool()?, &volume_name)? else { return Ok(()) };
    if volumes::user_of(call, &volumes::look(&volume)?.path)?.is_some() {
        return Ok(()); // of an appliance that had this name once
    }
    call.in_time()?;
    volumes::delete(&volume, &volume_name)
}

/// Paths of the volumes that we made for it, also of an extra disk that was made and not yet attached, or just detached.
fn volumes_of(seen: &Seen) -> Vec<String> {
    let mut paths: Vec<_> =
        seen.disk_paths().filter(|path| volumes::belongs_to_appliance(path)).map(str::to_owned).collect();
    if let Some(extra) = seen.disk(xml::MAIN_DISK).and_then(volumes::extra_path) {
        paths.push(extra);
    }
    paths
}

fn is_ours(found: &Tags, tags: &Tags) -> bool {
    (&found.installation_id, found.appliance_id) == (&tags.installation_id, tags.appliance_id)
}

/// A network that is not there or not active is better told now than at the start.
fn check_network(call: &Call) -> Result<()> {
    let name = &call.settings.network;
    if call.network()?.is_active().doing(format_args!("look at the network {name:?}"))? {
        return Ok(());
    }
    Err(invalid(format!("the network {name:?} (the provider's network) is not active: virsh net-start {name}")))
}

/// Refuses what cannot be done while the appliance has a running or saved memory.
pub(super) fn must_be_off(domain: &Domain, name: &str, done: &str) -> Result<()> {
    match look::power(domain)? {
        PowerState::Off => Ok(()),
        _ => Err(invalid(format!("{name} cannot be {done} while it is on or suspended: power it off first"))),
    }
}

fn taken(name: &str) -> DriverError {
    DriverError::new(
        Reason::NameTaken,
        format!("there is a domain {name} on the provider already: choose another name or delete that one"),
    )
}
