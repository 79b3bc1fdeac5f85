//! Looking at appliances: power state, marks, size, address.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::CString,
};

use virt::{
    domain::{Domain, DomainPausedReason, DomainState, DomainStateReason, DomainStateReasonEnum},
    sys,
};

use super::{
    daemon::Call,
    errors::Doing,
    seen::Seen,
    sys::{InterfaceAddress, agent_addresses, dhcp_leases},
};
use crate::driver::{Instance, PowerState, Reason, Result};

/// How long a guest agent may take to tell its addresses.
const AGENT_SECONDS: i32 = 2;

/// All domains. Costs four calls, one more per domain, and one more per domain on its way between states. Addresses
/// are those of DHCP leases; agents are not asked.
pub(super) fn list(call: &Call) -> Result<Vec<Instance>> {
    let domains = domains(call, 0)?;
    let ids = |flags| -> Result<HashSet<String>> { domains_ids(&self::domains(call, flags)?) };
    let (running, saved) =
        (ids(sys::VIR_CONNECT_LIST_DOMAINS_RUNNING)?, ids(sys::VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)?);
    let mut instances = Vec::with_capacity(domains.len());
    for domain in &domains {
        let Some(seen) = unless_gone(config(domain))? else { continue };
        let power = if running.contains(&seen.uuid) {
            PowerState::On
        } else if domain.id().is_none() {
            if saved.contains(&seen.uuid) { PowerState::Suspended } else { PowerState::Off }
        } else if let Some(power) = unless_gone(power(domain))? {
            power
        } else {
            continue;
        };
        instances.push((seen, power));
    }
    let leases =
        if instances.iter().any(|(_, power)| *power == PowerState::On) { leases(call, None) } else { Vec::new() };
    let mut by_mac: HashMap<String, Vec<InterfaceAddress>> = HashMap::new();
    for lease in leases {
        by_mac.entry(lease.mac.clone()).or_default().push(lease);
    }
    let address = |seen: &Seen| preferred(seen.macs.iter().filter_map(|mac| by_mac.get(mac)).flatten());
    Ok(instances
        .into_iter()
        .map(|(seen, power)| {
            let address = (power == PowerState::On).then(|| address(&seen)).flatten();
            instance(seen, power, address)
        })
        .collect())
}

/// One domain: its address by DHCP lease, else by its guest agent.
pub(super) fn find(call: &Call, name: &str) -> Result<Option<Instance>> {
    let Some(domain) = call.domain_if_any(name)? else { return Ok(None) };
    let Some(seen) = unless_gone(config(&domain))? else { return Ok(None) };
    let Some(power) = unless_gone(power(&domain))? else { return Ok(None) };
    let address = if power == PowerState::On { address(call, &domain, &seen) } else { None };
    Ok(Some(instance(seen, power, address)))
}

/// What will be true of the domain at its next start; marks are kept there, whatever a saved or running one says.
pub(super) fn config(domain: &Domain) -> Result<Seen> {
    Seen::parse(&domain.xml_desc(sys::VIR_DOMAIN_XML_INACTIVE).doing("look at a domain")?)
}

/// What is true of the running domain.
pub(super) fn live(domain: &Domain) -> Result<Seen> {
    Seen::parse(&domain.xml_desc(0).doing("look at a domain")?)
}

/// Its power state just now.
pub(super) fn power(domain: &Domain) -> Result<PowerState> {
    let (state, why) = domain.state().doing("read the state of a domain")?;
    let virt::enumutil::Enum::Known(state) = state else {
        // The crate hides the error of this call; the next one tells it.
        domain.info().doing("read the state of a domain")?;
        return Ok(PowerState::Unspecified);
    };
    Ok(match state {
        DomainState::NoState => PowerState::Unspecified,
        DomainState::Running | DomainState::Blocked => PowerState::On,
        DomainState::Paused if in_passing(why) => PowerState::Changing,
        DomainState::Paused | DomainState::PMSuspended => PowerState::Suspended,
        DomainState::Shutdown => PowerState::Changing,
        DomainState::Shutoff if domain.has_managed_save(0).doing("look for saved memory")? => PowerState::Suspended,
        DomainState::Shutoff | DomainState::Crashed => PowerState::Off,
    })
}

/// libvirt pauses a domain for the time of some operations.
fn in_passing(why: DomainStateReasonEnum) -> bool {
    use DomainPausedReason::{Dump, Migration, Save, ShuttingDown, Snapshot, StartingUp};
    let virt::enumutil::Enum::Known(DomainStateReason::Paused(why)) = why else { return false };
    why.is_known_and(|why| matches!(why, Dump | Migration | Save | ShuttingDown | Snapshot | StartingUp))
}

fn address(call: &Call, domain: &Domain, seen: &Seen) -> Option<String> {
    let leases: Vec<_> = seen.macs.iter().flat_map(|mac| leases(call, Some(mac))).collect();
    preferred(&leases).or_else(|| {
        // Asking an agent that is not there would only wait.
        let live = live(domain).ok().filter(|live| live.agent_connected)?;
        let told = agent_addresses(domain, AGENT_SECONDS)
            .inspect_err(|error| tracing::debug!(name = seen.name, %error, "the guest agent tells no address"))
            .ok()?;
        preferred(told.iter().filter(|told| live.macs.contains(&told.mac)))
    })
}

/// Leases of the network. That they cannot be had is no reason to fail: a domain is there without them, and must be
/// killable when somebody has taken its network away.
fn leases(call: &Call, mac: Option<&str>) -> Vec<InterfaceAddress> {
    let read = || {
        let mac = mac.and_then(|mac| CString::new(mac).ok());
        dhcp_leases(&call.network()?, mac.as_deref()).doing("read the DHCP leases of the network")
    };
    read().inspect_err(|error| tracing::warn!(%error, "no addresses from DHCP leases")).unwrap_or_default()
}

/// IPv4 before IPv6; never one that is good on its own link only.
fn preferred<'a>(addresses: impl IntoIterator<Item = &'a InterfaceAddress>) -> Option<String> {
    let usable = addresses.into_iter().filter(|one| !one.ip.starts_with("fe80:") && !one.ip.starts_with("169.254."));
    usable.min_by_key(|one| !one.ipv4).map(|one| one.ip.clone())
}

fn instance(seen: Seen, power: PowerState, address: Option<String>) -> Instance {
    Instance {
        name: seen.name,
        provider_ref: seen.uuid,
        power,
        tags: seen.tags,
        address,
        published: BTreeMap::new(),
        memory_mib: seen.memory_mib,
        cpus: seen.cpus,
        console_url: None,
    }
}

fn domains(call: &Call, flags: u32) -> Result<Vec<Domain>> {
    call.connection().list_all_domains(flags).doing("list the domains")
}

fn domains_ids(domains: &[Domain]) -> Result<HashSet<String>> {
    domains.iter().map(|domain| domain.uuid_string().doing("read the id of a domain")).collect()
}

/// A domain may vanish between two calls.
fn unless_gone<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.reason == Reason::ApplianceNotFound => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_is_preferred_and_link_local_is_no_address() {
        let one = |ip: &str, ipv4| InterfaceAddress { mac: "m".into(), ip: ip.into(), ipv4 };
        let all = [one("fe80::1", false), one("2001:db8::1", false), one("169.254.0.1", true), one("10.0.0.7", true)];
        assert_eq!(preferred(&all).as_deref(), Some("10.0.0.7"));
        assert_eq!(preferred(&all[..2]).as_deref(), Some("2001:db8::1"));
        assert_eq!(preferred(&all[..1]), None);
    }
}
