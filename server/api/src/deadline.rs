//! How long a call may take: what its client says (`grpc-timeout`), and never longer than the server's own limit.

use std::time::Duration;

use http::HeaderMap;

/// A call must begin to answer within this time. (The answer of a stream begins at once.)
const LIMIT: Duration = Duration::from_secs(30);

/// A call ends this much before its client gives up: the answer has a way to go, and tonic, which watches the same
/// header, would call it cancelled.
const MARGIN: Duration = Duration::from_millis(3);

/// The time a call with these headers has. A `grpc-timeout` that cannot be read counts as none.
pub(crate) fn of(headers: &HeaderMap) -> Duration {
    let asked = headers.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(parse);
    asked.map_or(LIMIT, |asked| asked.saturating_sub(MARGIN).min(LIMIT))
}

/// At most eight digits and a unit, as in the gRPC specification ("gRPC over HTTP2", Timeout).
fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.len().checked_sub(1)?;
    let (digits, unit) = (text.get(..unit_at)?, text.get(unit_at..)?);
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_of_both_limits_holds() {
        for (header, limit) in [
            ("250m", Duration::from_millis(247)),
            ("5u", Duration::ZERO),
            ("5S", Duration::from_millis(4997)),
            ("1H", LIMIT),
            ("99999999H", LIMIT),
            ("", LIMIT),
            ("S", LIMIT),
            ("-1S", LIMIT),
            ("123456789n", LIMIT),
            ("5µ", LIMIT),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_bytes(header.as_bytes()).unwrap());
            assert_eq!(of(&headers), limit, "{header}");
        }
        assert_eq!(of(&HeaderMap::new()), LIMIT);
    }
}
