//! Lengths of time as people write them: `90s`, `15m`, `1h30m`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A length of time: numbers with units `ms`, `s`, `m`, `h` or `d`, largest first, e.g. `1h30m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const EXPECTED: &str = "a length of time such as 90s, 15m, 2h or 1h30m";

impl Time {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected {EXPECTED}");
        let (mut rest, mut total, mut units) = (text.trim(), 0_u64, UNITS.as_slice());
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits =
                rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| format!("a unit is missing, {}", wrong()))?;
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |i| digits + i);
            let unit = units.iter().position(|(name, _)| *name == &rest[digits..unit_end]).ok_or_else(wrong)?;
            let part = number.checked_mul(units[unit].1).ok_or_else(wrong)?;
            total = total.checked_add(part).ok_or_else(wrong)?;
            (rest, units) = (&rest[unit_end..], &units[unit + 1..]);
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (name, size) in UNITS {
            if left >= size {
                write!(f, "{}{name}", left / size)?;
                left %= size;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("1d1s", 86_401), ("0s", 0)] {
            assert_eq!(text.parse::<Time>().unwrap(), Time::seconds(seconds), "{text}");
        }
        assert_eq!("250ms".parse::<Time>().unwrap().0, Duration::from_millis(250));
        for text in ["1m30s", "15m", "1h30m", "1d1s", "250ms", "0s"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "s", "5", "-5s", "1m1h", "1h1h", "1 h", "1w", "99999999999999999999s", "999999999999999999d"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        assert!("60".parse::<Time>().unwrap_err().contains("unit is missing"));
    }
}
