//! `sproutctl shepherd …`

use std::time::Duration;

use clap::{Args, Subcommand};
use sprout_client::proto::shepherd::{Demand, Shepherd as Wanted, Window};

use super::duration;

/// See and set how many appliances of a group are kept warm: ready in advance, and nobody's.
#[derive(Debug, Subcommand)]
pub(crate) enum Shepherd {
    /// List what is kept warm, and what there is.
    List(List),
    /// Set what is kept warm of a group (staff). All of it: what is not said is none; with --preconfigured 0 nothing is.
    Set(SetAndWait),
    /// Say what `set` would change, and change nothing (staff).
    Plan(Set),
}

/// Which to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this group.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only for this user group.
    #[arg(long = "for", value_name = "USER_GROUP")]
    pub(crate) user_group: Option<String>,
}

/// What is to be kept warm.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("how_many").required(true).multiple(true).args(["preconfigured", "unconfigured", "max"])))]
pub(crate) struct Set {
    /// Name of the group.
    pub(crate) group: String,
    /// For this user group, which gets them first [default: for everyone who sees the provider].
    #[arg(long = "for", value_name = "USER_GROUP")]
    pub(crate) user_group: Option<String>,
    /// So many of preconfigured templates.
    #[arg(long, value_name = "N")]
    pub(crate) preconfigured: Option<u32>,
    /// So many of unconfigured templates.
    #[arg(long, value_name = "N")]
    pub(crate) unconfigured: Option<u32>,
    /// By demand: so many preconfigured ones as are likely to be asked for while a new one is made, but at most this many.
    #[arg(long, value_name = "N", conflicts_with = "preconfigured")]
    pub(crate) max: Option<u32>,
    /// By demand, but at least this many.
    #[arg(long, value_name = "N", requires = "max")]
    pub(crate) min: Option<u32>,
    /// By demand, but at least so many at certain times (UTC), e.g. mon-fri@08:00-18:00=5 or sun@22:00-06:00=2; can be given again.
    #[arg(long, value_name = "DAYS@FROM-TO=N", value_parser = window, requires = "max")]
    pub(crate) window: Vec<Window>,
}

/// What is to be kept warm from now on.
#[derive(Debug, Args)]
pub(crate) struct SetAndWait {
    #[command(flatten)]
    pub(crate) set: Set,
    /// Wait until so many are warm.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this time; what was set stays set.
    #[arg(long, value_parser = duration::parse, requires = "wait")]
    pub(crate) timeout: Option<Duration>,
}

impl From<Set> for Wanted {
    fn from(set: Set) -> Self {
        let demand = |max| Demand { min: set.min.unwrap_or_default(), max, schedule: set.window };
        Self {
            group: set.group,
            user_group: set.user_group.unwrap_or_default(),
            preconfigured: set.preconfigured.unwrap_or_default(),
            unconfigured: set.unconfigured.unwrap_or_default(),
            demand: set.max.map(demand),
        }
    }
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// In minutes.
const DAY: u32 = 24 * 60;

/// Reads a window: days, times, minimum.
fn window(text: &str) -> Result<Window, String> {
    let wrong = || "write a window such as mon-fri@08:00-18:00=5 or sat,sun@00:00-24:00=1".to_owned();
    let (days, rest) = text.split_once('@').ok_or_else(wrong)?;
    let (times, min) = rest.split_once('=').ok_or_else(wrong)?;
    let (from, to) = times.split_once('-').ok_or_else(wrong)?;
    let ranges: Option<Vec<Vec<u32>>> = days.split(',').map(range).collect();
    let from_minute = minute(from).filter(|from| *from < DAY).ok_or_else(wrong)?;
    Ok(Window {
        days: ranges.ok_or_else(wrong)?.concat(),
        from_minute,
        to_minute: minute(to).ok_or_else(wrong)?,
        min: min.parse().map_err(|_| wrong())?,
    })
}

/// Numbers of days, from 1 (Monday): `mon`, or `fri-mon` over the end of the week.
fn range(text: &str) -> Option<Vec<u32>> {
    let number = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    let length = (last + 7 - first) % 7;
    (0..=length).map(|day| u32::try_from((first + day) % 7 + 1).ok()).collect()
}

/// Minutes after midnight of `08:30`.
fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && total <= DAY).then_some(total)
}

/// A window as it is written.
pub(crate) fn written(window: &Window) -> String {
    let time = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let name = |day: &u32| usize::try_from(*day).ok().and_then(|day| DAYS.get(day.checked_sub(1)?)).copied();
    let days: Vec<_> = window.days.iter().map(|day| name(day).unwrap_or("?")).collect();
    format!("{}@{}-{}={}", days.join(","), time(window.from_minute), time(window.to_minute), window.min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_people_write_them() {
        for (text, told) in [
            ("mon-fri@08:00-18:00=5", "mon,tue,wed,thu,fri@08:00-18:00=5"),
            ("sat,sun@00:00-24:00=1", "sat,sun@00:00-24:00=1"),
            ("fri-mon@22:30-06:00=2", "fri,sat,sun,mon@22:30-06:00=2"),
        ] {
            assert_eq!(written(&window(text).unwrap()), told);
        }
        for text in ["", "mon@8-18=5", "mon@08:00-18:00", "day@08:00-18:00=5", "mon@24:00-18:00=5", "mon@08:60-18:00=5"]
        {
            assert!(window(text).is_err(), "{text}");
        }
    }
}
