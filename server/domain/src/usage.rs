//! Usage: for how long whom appliances were leased to, by day. Times count in whole seconds, cut so that what is accounted piece by piece sums up
//! to the whole.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};

use crate::{ApplianceId, Timestamp};

/// Whose usage it is, and of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Name of the user.
    pub user: String,
    /// The user group through which the user has the provider, the first by name; empty: through none.
    pub user_group: String,
    /// Group of the appliances.
    pub group: String,
    /// Where they run.
    pub provider: String,
}

/// Seconds, summed over appliances, on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDay {
    /// The day, UTC.
    pub day: NaiveDate,
    /// Whose.
    pub of: Account,
    /// How long.
    pub seconds: u64,
}

/// A lease that has not been accounted to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLease {
    /// The appliance leased.
    pub appliance: ApplianceId,
    /// Whose it is.
    pub of: Account,
    /// From when on it is to be accounted.
    pub since: Timestamp,
}

/// What sums are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The day, UTC.
    Day,
    /// The user.
    User,
    /// The user group.
    UserGroup,
    /// The group of the appliances.
    Group,
    /// The provider.
    Provider,
}

impl Dimension {
    /// The value of a day's usage in this dimension.
    pub fn of(self, usage: &UsageDay) -> String {
        match self {
            Self::Day => usage.day.to_string(),
            Self::User => usage.of.user.clone(),
            Self::UserGroup => usage.of.user_group.clone(),
            Self::Group => usage.of.group.clone(),
            Self::Provider => usage.of.provider.clone(),
        }
    }
}

/// Splits a time into the days (UTC) it touches, with the seconds on each; nothing if it is over before it begins.
pub fn by_day(from: Timestamp, until: Timestamp) -> Vec<(NaiveDate, u64)> {
    let mut days = Vec::new();
    let mut second = from.timestamp();
    let mut next_day = from.date_naive();
    while second < until.timestamp() {
        let day = next_day;
        let Some(following) = day.succ_opt() else { break };
        next_day = following;
        let end = following.and_time(chrono::NaiveTime::MIN).and_utc().timestamp().min(until.timestamp());
        days.push((day, (end - second).unsigned_abs()));
        second = end;
    }
    days
}

/// What is to be added for leases that are accounted until now: one for each day and account, in order.
pub fn of_leases(leases: &[OpenLease], now: Timestamp) -> Vec<UsageDay> {
    let mut sums: BTreeMap<(NaiveDate, &Account), u64> = BTreeMap::new();
    for lease in leases {
        for (day, seconds) in by_day(lease.since, now) {
            *sums.entry((day, &lease.of)).or_default() += seconds;
        }
    }
    sums.into_iter().map(|((day, of), seconds)| UsageDay { day, of: of.clone(), seconds }).collect()
}

/// Sums by some dimensions: their values in the order asked for, ordered by them, with seconds. Without a dimension one sum, also of nothing.
pub fn summed(usage: &[UsageDay], by: &[Dimension]) -> Vec<(Vec<String>, u64)> {
    let mut sums: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    if by.is_empty() {
        sums.insert(Vec::new(), 0);
    }
    for part in usage {
        *sums.entry(by.iter().map(|dimension| dimension.of(part)).collect()).or_default() += part.seconds;
    }
    sums.into_iter().collect()
}

/// The first day of a question that names none.
pub fn default_from(today: NaiveDate) -> NaiveDate {
    today.checked_sub_signed(TimeDelta::days(30)).unwrap_or(today)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_is_two_days() {
        let parts = by_day(at("2026-02-28T23:00:00.9Z"), at("2026-03-02T01:00:00.1Z"));
        let expected = [(day("2026-02-28"), 3600), (day("2026-03-01"), 86_400), (day("2026-03-02"), 3600)];
        assert_eq!(parts, expected);
        assert_eq!(by_day(at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z")), [(day("2026-03-01"), 86_400)]);
        assert!(by_day(at("2026-03-02T00:00:00Z"), at("2026-03-01T00:00:00Z")).is_empty());
        assert!(by_day(at("2026-03-02T00:00:00.1Z"), at("2026-03-02T00:00:00.9Z")).is_empty());
    }

    #[test]
    fn parts_sum_up_wherever_they_are_cut() {
        fastrand::seed(7);
        for _ in 0..10_000 {
            let micros = |range: u64| i64::try_from(fastrand::u64(0..range)).unwrap();
            let begin = Timestamp::from_timestamp_micros(1_700_000_000_000_000 + micros(400 * 86_400_000_000)).unwrap();
            let mut cuts: Vec<Timestamp> = (0..fastrand::usize(1..5))
                .map(|_| begin + TimeDelta::microseconds(micros(10 * 86_400_000_000)))
                .collect();
            cuts.push(begin);
            cuts.sort();
            let end = *cuts.last().unwrap();
            let whole = by_day(begin, end);
            let days: Vec<_> = whole.iter().map(|(day, _)| *day).collect();
            assert!(days.is_sorted_by(|a, b| a < b), "each day once, in order");
            assert!(whole.iter().all(|(_, seconds)| (1..=86_400).contains(seconds)));
            assert_eq!(whole.iter().map(|(_, s)| s).sum::<u64>(), (end.timestamp() - begin.timestamp()).unsigned_abs());
            let mut parts: BTreeMap<NaiveDate, u64> = BTreeMap::new();
            for cut in cuts.windows(2) {
                for (day, seconds) in by_day(cut[0], cut[1]) {
                    *parts.entry(day).or_default() += seconds;
                }
            }
            assert_eq!(parts.into_iter().collect::<Vec<_>>(), whole);
        }
    }

    #[test]
    fn sums_are_by_what_is_asked() {
        let of = |user: &str, provider: &str| Account {
            user: user.to_owned(),
            user_group: "qe".to_owned(),
            group: "app".to_owned(),
            provider: provider.to_owned(),
        };
        let lease = |id, of, since| OpenLease { appliance: ApplianceId(id), of, since: at(since) };
        let leases = [
            lease(1, of("ann", "lab"), "2026-03-01T22:00:00Z"),
            lease(2, of("ann", "attic"), "2026-03-02T00:30:00Z"),
            lease(3, of("ben", "lab"), "2026-03-02T00:00:00Z"),
        ];
        let usage = of_leases(&leases, at("2026-03-02T01:00:00Z"));
        assert_eq!(usage.len(), 4);
        assert_eq!(summed(&usage, &[]), [(vec![], 7200 + 3600 + 1800 + 3600)]);
        assert_eq!(summed(&[], &[]), [(vec![], 0)]);
        let row = |values: &[&str], seconds| (values.iter().map(ToString::to_string).collect::<Vec<_>>(), seconds);
        let by_user = summed(&usage, &[Dimension::User, Dimension::Day]);
        let expected =
            [row(&["ann", "2026-03-01"], 7200), row(&["ann", "2026-03-02"], 5400), row(&["ben", "2026-03-02"], 3600)];
        assert_eq!(by_user, expected);
        let by_provider = summed(&usage, &[Dimension::Provider]);
        assert_eq!(by_provider, [row(&["attic"], 1800), row(&["lab"], 14_400)]);
    }
}
