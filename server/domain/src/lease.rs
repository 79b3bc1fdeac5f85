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

/// When a lease ends, and when its holder is told so before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseEnd {
    /// The end; none: it never ends.
    pub until: Option<Timestamp>,
    /// When to remind next; none: not any more.
    pub remind_at: Option<Timestamp>,
}

impl LeaseEnd {
    /// A lease without an end.
    pub const NEVER: Self = Self { until: None, remind_at: None };

    /// The end of a lease of this length from now.
    pub fn after(now: Timestamp, lease: Duration, reminders: &[Duration]) -> Self {
        let until = end(now, lease);
        Self { until: Some(until), remind_at: next_reminder(now, until, reminders) }
    }
}

/// When to remind next of a lease that ends then: at the first of the times before its end that is still to come. What was missed is not made up
/// for, and nobody is reminded of what is over.
pub fn next_reminder(now: Timestamp, until: Timestamp, reminders: &[Duration]) -> Option<Timestamp> {
    reminders.iter().map(|before| begin(until, *before)).filter(|at| *at > now && *at < until).min()
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
            pattern: TemplatePattern::new("(?<version>.*)").ok(),
            default_lease: Duration::from_secs(3600),
            max_lease: Duration::from_secs(86_400),
            reminders: vec![],
            quarantine_failures: 3,
            deploy_limit: std::time::Duration::from_secs(3600),
            template_obsolete_days: None,
            template_obsolete_days_delete: None,
            proof_limit: Duration::from_secs(3600),
            endpoints: vec![],
            probes: vec![],
            preparation: crate::preparation::Preparation::default(),
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
    fn reminders_come_once_each_and_none_after_the_end() {
        let (hour, minutes) = (Duration::from_secs(3600), Duration::from_secs(600));
        for lease in [0, 1, 599, 600, 601, 3599, 3600, 3601, 86_400] {
            let start = Timestamp::UNIX_EPOCH;
            let until = end(start, Duration::from_secs(lease));
            let mut given = Vec::new();
            let mut next = LeaseEnd::after(start, Duration::from_secs(lease), &[minutes, hour]).remind_at;
            while let Some(at) = next {
                assert!(at > start && at < until);
                given.push((until - at).to_std().unwrap());
                next = next_reminder(at, until, &[minutes, hour]);
            }
            let due: Vec<_> = [hour, minutes].into_iter().filter(|before| before.as_secs() < lease).collect();
            assert_eq!(given, due, "{lease}");
        }
        // Whoever looks late is told of the latest only, or of none.
        let until = end(Timestamp::UNIX_EPOCH, hour);
        assert_eq!(next_reminder(until, until, &[minutes, hour]), None);
        assert_eq!(next_reminder(begin(until, minutes), until, &[minutes, hour]), None);
    }

    #[test]
    fn the_end_never_overflows() {
        assert_eq!(end(Timestamp::MAX_UTC, Duration::MAX), Timestamp::MAX_UTC);
    }
}
