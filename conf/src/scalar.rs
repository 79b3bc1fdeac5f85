//! What a plain scalar means. Texts stay as they were written until someone wants something else of them: a version
//! `5.10` is a text where a text is wanted.

/// Which rules a file was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Ours: `true` and `false` alone are booleans, numbers are decimal (or `0x…`, `0o…`).
    Strict,
    /// YAML 1.1, as the existing files of teams were read so far: `yes` and `on` are true, `010` is 8. Mappings may
    /// `inherit: a/b` from another place of the file.
    Legacy,
}

/// What a scalar means where nothing particular is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
}

impl Dialect {
    /// What a plain (unquoted) scalar means.
    pub(crate) fn meaning(self, text: &str) -> Meaning<'_> {
        if is_null(text) {
            return Meaning::Null;
        }
        let is_float = text.contains('.') || (self == Self::Strict && text.contains(['e', 'E']));
        let float = || float(text).filter(|_| is_float).map(Meaning::Float);
        let number = || self.int(text).map(Meaning::Int).or_else(float);
        self.bool(text).map(Meaning::Bool).or_else(number).unwrap_or(Meaning::Text(text))
    }

    pub(crate) fn bool(self, text: &str) -> Option<bool> {
        match text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            "yes" | "Yes" | "YES" | "on" | "On" | "ON" if self == Self::Legacy => Some(true),
            "no" | "No" | "NO" | "off" | "Off" | "OFF" if self == Self::Legacy => Some(false),
            _ => None,
        }
    }

    pub(crate) fn int(self, text: &str) -> Option<i128> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let legacy = self == Self::Legacy;
        let (digits, radix) = match (digits.strip_prefix("0x"), digits.strip_prefix("0o"), digits.strip_prefix("0b")) {
            (Some(hex), ..) => (hex, 16),
            (_, Some(octal), _) if !legacy => (octal, 8),
            (_, _, Some(binary)) if legacy => (binary, 2),
            _ if legacy && digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
            _ => (digits, 10),
        };
        let digits = if legacy { digits.replace('_', "") } else { digits.to_owned() };
        if !digits.starts_with(|c: char| c.is_digit(radix)) {
            return None;
        }
        let number = i128::from_str_radix(&digits, radix).ok()?;
        Some(if negative { -number } else { number })
    }
}

/// What means that there is no value.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

pub(crate) fn float(text: &str) -> Option<f64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match rest {
        ".inf" | ".Inf" | ".INF" => Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        // Rust reads `inf` and `nan`, which are words in YAML.
        _ if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') => rest.parse::<f64>().ok().map(|f| sign * f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_dialects() {
        let (strict, legacy) = (Dialect::Strict, Dialect::Legacy);
        assert_eq!((strict.meaning("yes"), legacy.meaning("yes")), (Meaning::Text("yes"), Meaning::Bool(true)));
        assert_eq!((strict.meaning("Off"), legacy.meaning("Off")), (Meaning::Text("Off"), Meaning::Bool(false)));
        assert_eq!((strict.meaning("010"), legacy.meaning("010")), (Meaning::Int(10), Meaning::Int(8)));
        assert_eq!(legacy.meaning("0b11"), Meaning::Int(3));
        assert_eq!(legacy.meaning("0123456789"), Meaning::Text("0123456789"));
        assert_eq!((strict.meaning("1e3"), legacy.meaning("1e3")), (Meaning::Float(1000.0), Meaning::Text("1e3")));
        assert_eq!(legacy.meaning("1_000"), Meaning::Int(1000));
        assert_eq!(strict.meaning("0o17"), Meaning::Int(15));
        for dialect in [strict, legacy] {
            assert_eq!(dialect.meaning("0xff"), Meaning::Int(255));
            assert_eq!(dialect.meaning("-5"), Meaning::Int(-5));
            assert_eq!(dialect.meaning("2.5"), Meaning::Float(2.5));
            assert_eq!(dialect.meaning("-.inf"), Meaning::Float(f64::NEG_INFINITY));
            for text in ["inf", "nan", "0x", "-", "+", "1.2.3", "5a", "--5", "0123456789a", "é", "1e"] {
                assert_eq!(dialect.meaning(text), Meaning::Text(text), "{text}");
            }
            for nothing in ["", "~", "null"] {
                assert_eq!(dialect.meaning(nothing), Meaning::Null);
            }
        }
    }
}
