//! Amounts of memory as people write them: `65536` (MiB) or `64 GiB`.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// An amount of memory: a number of MiB, or a number with the unit `MiB`, `GiB` or `TiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory {
    /// In MiB.
    pub mib: u64,
}

const UNITS: [(&str, u64); 3] = [("MiB", 1), ("GiB", 1024), ("TiB", 1024 * 1024)];
const EXPECTED: &str = "an amount of memory such as 65536 (MiB) or 64 GiB";

impl Memory {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().ok()?;
        let unit = text[digits..].trim();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit || (unit.is_empty() && *name == "MiB"))?;
        Self::of(number.checked_mul(*factor)?)
    }

    /// So many MiB; databases end at 2^63.
    fn of(mib: u64) -> Option<Self> {
        i64::try_from(mib).is_ok().then_some(Self { mib })
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MemoryVisitor;

        impl Visitor<'_> for MemoryVisitor {
            type Value = Memory;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_u64<E: de::Error>(self, mib: u64) -> Result<Memory, E> {
                Memory::of(mib).ok_or_else(|| E::custom(format!("expected {EXPECTED}")))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Memory, E> {
                Memory::read(text).ok_or_else(|| E::custom(format!("{text:?} is not {EXPECTED}")))
            }
        }

        deserializer.deserialize_any(MemoryVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, mib) in [("512", 512), ("512MiB", 512), ("64 GiB", 65_536), (" 1TiB ", 1_048_576), ("0", 0)] {
            assert_eq!(Memory::read(text), Some(Memory { mib }), "{text:?}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "GiB", "-1", "1.5 GiB", "1 GB", "1 gib", "9223372036854775808", "9000000000000 TiB"] {
            assert_eq!(Memory::read(text), None, "{text:?}");
        }
    }
}
