//! Extensions of leases on the wire.

use prost_types::Duration;
use sprout_app::Extension;
use sprout_domain::{Error, Result};

use super::duration;

/// What a lease is to become: a time from now, or never-ending.
pub(crate) fn extension(lease: Option<Duration>, never_expire: bool) -> Result<Extension> {
    match (lease, never_expire) {
        (lease, false) => Ok(Extension::Time(duration("lease", lease)?)),
        (None, true) => Ok(Extension::Never),
        (Some(_), true) => Err(Error::invalid("lease", "a lease that never ends has no length; leave one of them out")),
    }
}
