//! Dates as they are written in names.

use chrono::{Datelike as _, Days, NaiveDate};

use crate::template::BuildDate;

/// The day a name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Of a year.
    Full(BuildDate),
    /// Of whichever year.
    Yearless {
        /// 1 to 12.
        month: u32,
        /// 1 to 31.
        day: u32,
    },
}

impl Day {
    /// Reads `YYYYMMDD`, `YYYYMMDDhhmm`, `YYMMDD` (of this century) or `MMDD`.
    pub fn read(text: &str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = |from: usize, to: usize| text[from..to].parse::<u32>().ok();
        let full = |year: u32, from: usize| {
            let year = i32::try_from(year).ok()?;
            NaiveDate::from_ymd_opt(year, number(from, from + 2)?, number(from + 2, from + 4)?).map(Self::Full)
        };
        match text.len() {
            // 2000 has all the days there are.
            4 => full(2000, 0).and(Some(Self::Yearless { month: number(0, 2)?, day: number(2, 4)? })),
            6 => full(2000 + number(0, 2)?, 2),
            8 => full(number(0, 4)?, 4),
            12 if number(8, 10)? < 24 && number(10, 12)? < 60 => full(number(0, 4)?, 4),
            _ => None,
        }
    }

    /// The date; without a year, the last such day until then. Clocks differ: the day after counts as well.
    pub fn on_or_before(self, seen: BuildDate) -> BuildDate {
        match self {
            Self::Full(date) => date,
            Self::Yearless { month, day } => {
                let latest = seen.checked_add_days(Days::new(1)).unwrap_or(seen);
                // There are at most seven years between two 29ths of February.
                let years = (0..=8).filter_map(|back| NaiveDate::from_ymd_opt(latest.year() - back, month, day));
                years.into_iter().find(|date| *date <= latest).unwrap_or_default()
            }
        }
    }
}
