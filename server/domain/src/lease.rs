//! Arithmetic of leases.

use std::time::Duration;

use crate::{Error, Reason, Result, Timestamp, group::Group};

/// The lease asked for (or the group's default), if the group allows it.
pub fn checked(asked: Option<Duration>, group: &Group) -> Result<Duration> {
    let lease = asked.unwrap_or(group.default_lease);
    if lease < Duration::from_secs(1) {
        return Err(Error::invalid("lease", "a lease lasts at least one second; ask for e.g. 60m"));
    }
    if lease > group.max_lease {
        return Err(Error::new(
            Reason::LeaseTooLong,
            format!(
                "group {} allows leases of at most {} minutes from now",
                group.name,
                group.max_lease.as_secs() / 60
            ),
        )
        .with("max_seconds", group.max_lease.as_secs().to_string()));
    }
    Ok(lease)
}

/// When a lease of this length ends. Leases are bounded by [`checked`], so this cannot overflow in practice; if it would, it never ends later than the calendar.
pub fn end(now: Timestamp, lease: Duration) -> Timestamp {
    chrono::TimeDelta::from_std(lease)
        .ok()
        .and_then(|delta| now.checked_add_signed(delta))
        .unwrap_or(Timestamp::MAX_UTC)
}

/// The moment this long before `now`.
pub fn begin(now: Timestamp, ago: Duration) -> Timestamp {
    chrono::TimeDelta::from_std(ago).ok().and_then(|delta| now.checked_sub_signed(delta)).unwrap_or(Timestamp::MIN_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::TemplatePattern;

    fn group() -> Group {
        Group {
            name: "g".into(),
            pattern: TemplatePattern::new("(?<version>.*)").unwrap(),
            default_lease: Duration::from_secs(3600),
            max_lease: Duration::from_secs(86_400),
            warm_count: 0,
            endpoints: vec![],
            probes: vec![],
        }
    }

    #[test]
    fn bounds() {
        assert_eq!(checked(None, &group()).unwrap(), Duration::from_secs(3600));
        assert_eq!(checked(Some(Duration::from_secs(86_400)), &group()).unwrap().as_secs(), 86_400);
        assert_eq!(checked(Some(Duration::from_secs(86_401)), &group()).unwrap_err().reason, Reason::LeaseTooLong);
        assert_eq!(checked(Some(Duration::ZERO), &group()).unwrap_err().reason, Reason::InvalidArgument);
    }

    #[test]
    fn the_end_never_overflows() {
        assert_eq!(end(Timestamp::MAX_UTC, Duration::MAX), Timestamp::MAX_UTC);
    }
}
