//! Times and durations: RFC 3339 for programs, distances from now for people.

use chrono::{DateTime, SecondsFormat, Utc};
use prost_types::{Duration, Timestamp};

/// A time as RFC 3339 in UTC, in whole milliseconds.
pub(crate) fn rfc3339(time: Option<Timestamp>) -> Option<String> {
    let time = time?;
    let nanos = u32::try_from(time.nanos).ok()?;
    Some(DateTime::<Utc>::from_timestamp(time.seconds, nanos)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A duration in whole seconds.
pub(crate) fn seconds(duration: Option<Duration>) -> Option<i64> {
    duration.map(|duration| duration.seconds)
}

/// For a request.
pub(crate) fn to_proto(duration: std::time::Duration) -> Duration {
    Duration { seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), nanos: 0 }
}

/// How far an RFC 3339 time is away: "in 60 min", "3 h ago".
pub(crate) fn relative(time: Option<&String>) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(time?).ok()?;
    Some(distance((time.with_timezone(&Utc) - Utc::now()).num_seconds()))
}

/// "in 59 min (2026-01-01T00:00:00.000Z)".
pub(crate) fn relative_and_exact(time: Option<&String>) -> Option<String> {
    Some(format!("{} ({})", relative(time)?, time?))
}

fn distance(seconds: i64) -> String {
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {}", rough(seconds.unsigned_abs())),
        _ => format!("{} ago", rough(seconds.unsigned_abs())),
    }
}

/// A duration in the largest unit that says enough: 90 s, 90 min, 36 h, 3 d.
pub(crate) fn rough(seconds: u64) -> String {
    // To the nearest: who asks for 2 h is told "in 2 h" a moment later, not "in 119 min".
    let nearest = |unit: u64| (seconds + unit / 2) / unit;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_169 => format!("{} min", nearest(60)),
        7_170..=170_999 => format!("{} h", nearest(3_600)),
        _ => format!("{} d", nearest(86_400)),
    }
}

/// How long ago an RFC 3339 time was, without saying "ago".
pub(crate) fn age(time: Option<&String>) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(time?).ok()?;
    Some(rough((Utc::now() - time.with_timezone(&Utc)).num_seconds().try_into().unwrap_or_default()))
}

/// How long it is from one RFC 3339 time to another; without the other, to now.
pub(crate) fn between(from: Option<&String>, to: Option<&String>) -> Option<String> {
    let parsed = |time: &String| DateTime::parse_from_rfc3339(time).ok().map(|time| time.with_timezone(&Utc));
    let to = to.map_or_else(|| Some(Utc::now()), parsed)?;
    let span = (to - parsed(from?)?).to_std().unwrap_or_default();
    Some(if span.as_secs() < 10 { precise(span.as_secs_f64()) } else { rough(span.as_secs()) })
}

/// A short time: 3.2 ms, 0.42 s, 12.3 s.
pub(crate) fn precise(seconds: f64) -> String {
    match seconds {
        ..0.1 => format!("{:.1} ms", seconds * 1000.0),
        ..10.0 => format!("{seconds:.2} s"),
        _ => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_short() {
        let cases = [
            (0, "now"),
            (1, "in 1 s"),
            (-119, "119 s ago"),
            (3_599, "in 60 min"),
            (7_199, "in 2 h"),
            (12 * 3_600 - 1, "in 12 h"),
            (-7_200, "2 h ago"),
            (259_200, "in 3 d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(distance(seconds), text);
        }
    }

    #[test]
    fn spans_say_what_matters() {
        let at = |text: &str| Some(format!("2026-01-01T00:{text}Z"));
        let between = |from: &str, to: &str| between(at(from).as_ref(), at(to).as_ref()).unwrap();
        assert_eq!(between("00:00.000", "00:00.003"), "3.0 ms");
        assert_eq!(between("00:00.000", "00:02.500"), "2.50 s");
        assert_eq!(between("00:00.000", "05:00.000"), "5 min");
        assert_eq!(between("00:01.000", "00:00.000"), "0.0 ms", "clocks that differ");
        assert_eq!(precise(12.34), "12.3 s");
    }

    #[test]
    fn times_are_rfc_3339() {
        let time = Timestamp { seconds: 1_700_000_000, nanos: 5_000_000 };
        assert_eq!(rfc3339(Some(time)).as_deref(), Some("2023-11-14T22:13:20.005Z"));
        assert_eq!(rfc3339(Some(Timestamp { seconds: i64::MAX, nanos: -1 })), None);
    }
}
