//! The provider's settings, checked.

use sprout_proto::worker::LibvirtSettings;

use super::{errors::invalid, xml::HypervisorType};
use crate::driver::Result;

/// Memory of an appliance where neither request nor provider says: enough for a small Linux.
const DEFAULT_MEMORY_MIB: u32 = 128;

/// [`LibvirtSettings`] with the gaps filled.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) uri: String,
    pub(super) storage_pool: String,
    pub(super) network: String,
    /// `None`: what the host can do.
    pub(super) hypervisor: Option<HypervisorType>,
    pub(super) memory_mib: u32,
    pub(super) cpus: u32,
}

impl Settings {
    /// Whether the daemon runs on this host.
    pub(super) fn is_local(&self) -> bool {
        // driver[+transport]://[user@][host][:port]/path
        self.uri.split_once("://").is_none_or(|(_, rest)| rest.starts_with('/'))
    }
}

impl TryFrom<&LibvirtSettings> for Settings {
    type Error = crate::driver::DriverError;

    fn try_from(settings: &LibvirtSettings) -> Result<Self> {
        let text = |key: &str, value: &str| match value {
            "" => Err(invalid(format!("the provider's {key} is empty: set it"))),
            _ if value.chars().any(char::is_control) => {
                Err(invalid(format!("the provider's {key} holds a control character")))
            }
            _ => Ok(value.to_owned()),
        };
        let hypervisor = match settings.domain_type.as_str() {
            "" => None,
            "kvm" => Some(HypervisorType::Kvm),
            "qemu" => Some(HypervisorType::Qemu),
            other => {
                return Err(invalid(format!(
                    "the provider's domain_type is {other:?}: use kvm, qemu, or leave it empty"
                )));
            }
        };
        let or = |value, default| if value == 0 { default } else { value };
        Ok(Self {
            uri: text("uri", &settings.uri)?,
            storage_pool: text("storage_pool", &settings.storage_pool)?,
            network: text("network", &settings.network)?,
            hypervisor,
            memory_mib: or(settings.memory_mib, DEFAULT_MEMORY_MIB),
            cpus: or(settings.cpus, 1),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions
mod tests {
    use super::*;

    fn settings(uri: &str, domain_type: &str) -> LibvirtSettings {
        LibvirtSettings {
            uri: uri.into(),
            storage_pool: "default".into(),
            network: "default".into(),
            domain_type: domain_type.into(),
            ..LibvirtSettings::default()
        }
    }

    #[test]
    fn gaps_are_filled() {
        let settings = Settings::try_from(&settings("qemu:///system", "")).unwrap();
        assert_eq!((settings.memory_mib, settings.cpus, settings.hypervisor), (128, 1, None));
    }

    #[test]
    fn mistakes_name_the_setting() {
        assert!(Settings::try_from(&settings("", "")).unwrap_err().message.contains("uri"));
        assert!(Settings::try_from(&settings("qemu:///system", "xen")).unwrap_err().message.contains("domain_type"));
        assert!(Settings::try_from(&settings("qemu:///\0", "")).unwrap_err().message.contains("uri"));
    }

    #[test]
    fn only_a_uri_without_a_host_is_local() {
        for (uri, local) in [
            ("qemu:///system", true),
            ("qemu+unix:///system?socket=/run/x", true),
            ("qemu+ssh://root@lab/system", false),
            ("qemu://lab/system", false),
        ] {
            assert_eq!(Settings::try_from(&settings(uri, "")).unwrap().is_local(), local, "{uri}");
        }
    }
}
