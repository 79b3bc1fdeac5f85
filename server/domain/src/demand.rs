//! How many appliances to keep warm by demand: what is likely to be asked for while a new one is made.

use std::time::Duration;

use chrono::{Datelike as _, Timelike as _};

use crate::{Error, Result, Timestamp};

/// Of all the times that are as long as a deployment takes, there are enough in this part.
const CONFIDENCE: f64 = 0.95;
/// Above this mean the normal distribution does in place of Poisson's, whose terms get too small to add up.
const LARGE: f64 = 500.0;
/// Standard deviations above the mean that belong to [`CONFIDENCE`].
const DEVIATIONS: f64 = 1.645;
const MINUTES_OF_DAY: u16 = 24 * 60;

/// Bounds for sizing by demand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// Not less than this.
    pub min: u32,
    /// Not more than this.
    pub max: u32,
    /// Other minima at certain times; the highest that applies counts.
    pub schedule: Vec<Window>,
}

/// A time of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Days on which it begins, 1 (Monday) to 7 (Sunday).
    pub days: Vec<u8>,
    /// From, in minutes after midnight, UTC.
    pub from_minute: u16,
    /// To, in minutes after midnight, UTC; not more than `from_minute`: on the next day.
    pub to_minute: u16,
    /// Minimum within it.
    pub min: u32,
}

/// What was measured of a group.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Appliances asked for in an hour, lately.
    pub per_hour: f64,
    /// How long a deployment takes; none: not known yet.
    pub provisioning: Option<Duration>,
}

impl Window {
    fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::invalid("demand.schedule", message));
        if self.days.is_empty() || self.days.iter().any(|day| !(1..=7).contains(day)) {
            return wrong("a window needs days, 1 (Monday) to 7 (Sunday)".to_owned());
        }
        if self.from_minute >= MINUTES_OF_DAY || self.to_minute > MINUTES_OF_DAY {
            return wrong("a window is from 00:00 to at most 24:00, UTC".to_owned());
        }
        Ok(())
    }

    /// It applies at this moment.
    pub fn applies(&self, now: Timestamp) -> bool {
        let minute = u16::try_from(now.hour() * 60 + now.minute()).unwrap_or_default();
        let today = u8::try_from(now.weekday().number_from_monday()).unwrap_or(1);
        let yesterday = if today == 1 { 7 } else { today - 1 };
        if self.from_minute < self.to_minute {
            return self.days.contains(&today) && (self.from_minute..self.to_minute).contains(&minute);
        }
        (self.days.contains(&today) && minute >= self.from_minute)
            || (self.days.contains(&yesterday) && minute < self.to_minute)
    }

    /// Minutes from this moment to when it begins or ends next, at most a day.
    fn next_change(&self, now: Timestamp) -> Duration {
        let minute = u16::try_from(now.hour() * 60 + now.minute()).unwrap_or_default();
        let until = |at: u16| (at + MINUTES_OF_DAY - minute - 1) % MINUTES_OF_DAY + 1;
        Duration::from_secs(60 * u64::from(until(self.from_minute).min(until(self.to_minute))))
    }
}

impl Demand {
    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<()> {
        if self.max == 0 {
            return Err(Error::invalid("demand.max", "the most by demand is 0; say how many to keep at most"));
        }
        let most = self.schedule.iter().map(|window| window.min).max().unwrap_or_default().max(self.min);
        if most > self.max {
            return Err(Error::invalid("demand.min", format!("the least is {most}, above the most, {}", self.max)));
        }
        self.schedule.iter().try_for_each(Window::check)
    }

    /// The least at this moment.
    pub fn least(&self, now: Timestamp) -> u32 {
        let windows = self.schedule.iter().filter(|window| window.applies(now)).map(|window| window.min);
        windows.max().unwrap_or_default().max(self.min)
    }

    /// How many to keep now.
    pub fn wanted(&self, now: Timestamp, measured: Measured) -> u32 {
        let hours = measured.provisioning.unwrap_or_default().as_secs_f64() / 3600.0;
        let needed = enough_for(measured.per_hour * hours);
        needed.min(self.max).max(self.least(now).min(self.max))
    }

    /// After this long the least may be another one.
    pub fn next_change(&self, now: Timestamp) -> Option<Duration> {
        self.schedule.iter().map(|window| window.next_change(now)).min()
    }
}

/// So many that more than these come in at most one of twenty such times, where `mean` come on average and independently of each other.
fn enough_for(mean: f64) -> u32 {
    if mean.is_nan() || mean <= 0.0 {
        return 0;
    }
    if mean > LARGE {
        let many = (mean + DEVIATIONS * mean.sqrt()).ceil().min(f64::from(u32::MAX));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive and was bounded")]
        return many as u32;
    }
    let mut probability = (-mean).exp();
    let mut together = probability;
    let mut count = 0_u32;
    while together < CONFIDENCE {
        count += 1;
        probability *= mean / f64::from(count);
        together += probability;
    }
    count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(days: &[u8], from: u16, to: u16, min: u32) -> Window {
        Window { days: days.to_vec(), from_minute: from, to_minute: to, min }
    }

    fn measured(per_hour: f64, minutes: u64) -> Measured {
        Measured { per_hour, provisioning: Some(Duration::from_secs(60 * minutes)) }
    }

    #[test]
    fn as_many_as_come_while_one_is_made_and_some_more() {
        // Known quantiles of Poisson's distribution at 95 %.
        for (mean, enough) in [(0.0, 0), (0.01, 0), (0.1, 1), (1.0, 3), (5.0, 9), (10.0, 15), (100.0, 117)] {
            assert_eq!(enough_for(mean), enough, "{mean}");
        }
        assert_eq!(enough_for(10_000.0), 10_165);
        assert_eq!(enough_for(f64::NAN), 0);
        assert_eq!(enough_for(f64::INFINITY), u32::MAX);
    }

    #[test]
    fn nothing_known_means_the_least() {
        let demand = Demand { min: 2, max: 9, schedule: vec![] };
        let monday = at("2026-11-23T10:00:00Z");
        assert_eq!(demand.wanted(monday, Measured::default()), 2);
        assert_eq!(demand.wanted(monday, measured(60.0, 5)), 9);
        assert_eq!(demand.wanted(monday, measured(12.0, 5)), 3);
    }

    #[test]
    fn windows_go_over_midnight_and_over_the_end_of_the_week() {
        let night = window(&[7], 22 * 60, 6 * 60, 5);
        for (moment, applies) in [
            ("2026-11-22T21:59:59Z", false),
            ("2026-11-22T22:00:00Z", true),
            ("2026-11-23T05:59:59Z", true),
            ("2026-11-23T06:00:00Z", false),
            ("2026-11-23T22:30:00Z", false),
            ("2026-11-22T05:00:00Z", false),
        ] {
            assert_eq!(night.applies(at(moment)), applies, "{moment}");
        }
        let whole_day = window(&[1], 0, MINUTES_OF_DAY, 1);
        assert!(whole_day.applies(at("2026-11-23T23:59:59Z")) && !whole_day.applies(at("2026-11-24T00:00:00Z")));
        let demand = Demand { min: 1, max: 9, schedule: vec![night, window(&[7], 23 * 60, 60, 7)] };
        assert_eq!(demand.least(at("2026-11-22T22:30:00Z")), 5);
        assert_eq!(demand.least(at("2026-11-22T23:30:00Z")), 7);
        assert_eq!(demand.next_change(at("2026-11-22T22:30:00Z")), Some(Duration::from_secs(30 * 60)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let demand = |min, max, schedule| Demand { min, max, schedule }.check();
        assert!(demand(1, 2, vec![window(&[1, 7], 0, 1, 2)]).is_ok());
        assert!(demand(0, 0, vec![]).is_err());
        assert!(demand(3, 2, vec![]).is_err());
        assert!(demand(1, 2, vec![window(&[1], 0, 1, 3)]).is_err());
        assert!(demand(1, 2, vec![window(&[], 0, 1, 1)]).is_err());
        assert!(demand(1, 2, vec![window(&[8], 0, 1, 1)]).is_err());
        assert!(demand(1, 2, vec![window(&[1], 1440, 1, 1)]).is_err());
    }

    proptest! {
        #[test]
        fn always_within_bounds_and_more_for_more(
            min in 0_u32..50, more in 0_u32..50, rate in 0.0..5_000.0_f64, minutes in 0_u64..120, minute in 0_i64..20_000,
            from in 0_u16..1440, to in 0_u16..=1440, day in 1_u8..=7,
        ) {
            let demand = Demand { min, max: min + more + 1, schedule: vec![window(&[day], from, to, min + more)] };
            demand.check().unwrap();
            let now = at("2026-11-23T00:00:00Z") + chrono::TimeDelta::minutes(minute);
            let wanted = demand.wanted(now, measured(rate, minutes));
            prop_assert!((demand.least(now)..=demand.max).contains(&wanted));
            prop_assert!(demand.wanted(now, measured(rate + 1.0, minutes)) >= wanted);
            prop_assert!(demand.wanted(now, measured(rate, minutes + 1)) >= wanted);
            // Until it changes next, the least stays.
            let next = demand.next_change(now).unwrap();
            let before = now + chrono::TimeDelta::from_std(next).unwrap() - chrono::TimeDelta::seconds(1);
            prop_assert_eq!(demand.least(before), demand.least(now));
        }

        #[test]
        fn enough_is_never_below_the_mean(mean in 0.5..2_000.0_f64) {
            prop_assert!(f64::from(enough_for(mean)) >= mean.floor());
            prop_assert!(f64::from(enough_for(mean)) <= mean + 4.0 * mean.sqrt() + 3.0);
        }
    }
}
