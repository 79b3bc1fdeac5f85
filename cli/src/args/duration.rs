//! Durations as people write them: `90m`, `2h`, `1h30m`, `1d`, `45s`.

use std::time::Duration;

/// Reads a duration of whole days, hours, minutes and seconds, each at most once and in this order.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let wrong = || "write a duration such as 90m, 2h, 1h30m or 1d".to_owned();
    let mut units = UNITS.into_iter();
    let mut rest = text;
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let mut after = rest[end..].chars();
        let unit = after.next().ok_or_else(wrong)?;
        let (_, factor) = units.find(|(letter, _)| *letter == unit).ok_or_else(wrong)?;
        seconds = number.checked_mul(factor).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        rest = after.as_str();
    }
    match seconds {
        0 => Err(wrong()),
        seconds if seconds > 10 * 366 * 86_400 => Err("that is more than ten years".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("90m", 5400), ("2h", 7200), ("1h30m", 5400), ("1d", 86_400), ("1d2h3m4s", 93_784)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "0m", "5", "m", "1m1h", "1h1h", "-1h", "1.5h", "1w", "99999999999999999999d", "5000d", "1h 2m", "1ü"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
