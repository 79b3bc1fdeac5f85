//! The few calls of libvirt that the safe crate lacks (DHCP leases of a network, the guest agent's deadline) or that
//! leak memory there (addresses of interfaces). All unsafe code of this driver is here, and nothing else is.
#![allow(unsafe_code)] // C functions that fill arrays which the caller must free; each block says why it is sound

use std::{
    ffi::{CStr, c_char, c_void},
    ptr,
};

use virt::{domain::Domain, error::Error, network::Network, sys};

unsafe extern "C" {
    /// The C library's; libvirt's arrays are made with its `malloc`.
    fn free(pointer: *mut c_void);
}

/// An address that an interface has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InterfaceAddress {
    /// MAC address, lower case.
    pub(super) mac: String,
    pub(super) ip: String,
    pub(super) ipv4: bool,
}

/// All leases of a network that have not expired, including those of machines long gone: one call for all machines.
pub(super) fn dhcp_leases(network: &Network, mac: Option<&CStr>) -> Result<Vec<InterfaceAddress>, Error> {
    let mut leases: *mut sys::virNetworkDHCPLeasePtr = ptr::null_mut();
    // SAFETY: `network` keeps its pointer valid, `mac` is null or a C string that outlives the call, `leases` is a place for one pointer.
    let count = unsafe {
        sys::virNetworkGetDHCPLeases(network.as_ptr(), mac.map_or(ptr::null(), CStr::as_ptr), &raw mut leases, 0)
    };
    take(count, leases, |lease| {
        // SAFETY: libvirt filled the first `count` elements with pointers to leases that are ours; each is freed once, here.
        unsafe {
            let found = address((*lease).mac, (*lease).ipaddr, (*lease).type_);
            sys::virNetworkDHCPLeaseFree(lease);
            found.into_iter().collect()
        }
    })
}

/// The addresses that the guest agent tells. It is asked for `seconds` at most.
pub(super) fn agent_addresses(domain: &Domain, seconds: i32) -> Result<Vec<InterfaceAddress>, Error> {
    // SAFETY: `domain` keeps its pointer valid; the others are plain numbers.
    if unsafe { sys::virDomainAgentSetResponseTimeout(domain.as_ptr(), seconds, 0) } < 0 {
        return Err(Error::last_error());
    }
    let mut interfaces: *mut sys::virDomainInterfacePtr = ptr::null_mut();
    // SAFETY: `domain` keeps its pointer valid, `interfaces` is a place for one pointer.
    let count = unsafe {
        sys::virDomainInterfaceAddresses(
            domain.as_ptr(),
            &raw mut interfaces,
            sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
            0,
        )
    };
    take(count, interfaces, |interface| {
        // SAFETY: libvirt filled the first `count` elements with pointers to interfaces that are ours, each with `naddrs`
        // addresses; each is freed once, here.
        unsafe {
            let addresses = (0..(*interface).naddrs as usize)
                .filter_map(|index| {
                    let one = (*interface).addrs.add(index);
                    address((*interface).hwaddr, (*one).addr, (*one).type_)
                })
                .collect();
            sys::virDomainInterfaceFree(interface);
            addresses
        }
    })
}

/// Turns what a libvirt function that fills an array returned into a vector, and frees the array (not its elements).
fn take<P: Copy>(
    count: i32,
    array: *mut P,
    each: impl Fn(P) -> Vec<InterfaceAddress>,
) -> Result<Vec<InterfaceAddress>, Error> {
    let Ok(count) = usize::try_from(count) else { return Err(Error::last_error()) };
    // SAFETY: a count that is not negative says that the array has as many elements; it was made with `malloc` and is ours.
    unsafe {
        let found = (0..count).flat_map(|index| each(*array.add(index))).collect();
        free(array.cast());
        Ok(found)
    }
}

/// # Safety
/// `mac` and `ip` are null or C strings.
unsafe fn address(mac: *const c_char, ip: *const c_char, kind: i32) -> Option<InterfaceAddress> {
    if mac.is_null() || ip.is_null() {
        return None;
    }
    // SAFETY: the caller promises C strings, and they are copied at once.
    let (mac, ip) = unsafe { (CStr::from_ptr(mac).to_string_lossy(), CStr::from_ptr(ip).to_string_lossy()) };
    let ipv4 = u32::try_from(kind) == Ok(sys::VIR_IP_ADDR_TYPE_IPV4);
    Some(InterfaceAddress { mac: mac.to_ascii_lowercase(), ip: ip.into_owned(), ipv4 })
}
