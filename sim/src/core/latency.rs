//! How long something takes: a fixed time, or one drawn from a distribution.

use std::{fmt, str::FromStr};

use rand::Rng;
use serde::{Deserialize, Deserializer, de};

const EXPECTED: &str = "milliseconds, or `uniform MIN MAX`, `normal MEAN DEVIATION`, `lognormal MEDIAN SIGMA`, e.g. 800 or `normal 800 100`";
/// Nothing takes longer: a day.
const LIMIT: f64 = 86_400_000.0;

/// A time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// Always the same.
    Fixed(f64),
    /// Anything between two times alike.
    Uniform(f64, f64),
    /// Around a mean, with a standard deviation; never below 0.
    Normal(f64, f64),
    /// As real providers have it: around a median, with a tail; sigma is that of the logarithm.
    LogNormal(f64, f64),
}

impl Latency {
    /// Draws one.
    pub fn draw(self, rng: &mut impl Rng) -> u64 {
        let millis = match self {
            Self::Fixed(time) => time,
            Self::Uniform(low, high) => low + (high - low) * rng.random::<f64>(),
            Self::Normal(mean, deviation) => mean + deviation * standard_normal(rng),
            Self::LogNormal(median, sigma) => median * (sigma * standard_normal(rng)).exp(),
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within 0 and a day
        let millis = millis.clamp(0.0, LIMIT).round() as u64;
        millis
    }
}

/// By Box and Muller.
fn standard_normal(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |text: &str| {
            text.parse().ok().filter(|n| (0.0..=LIMIT).contains(n)).ok_or_else(|| format!("{text:?} is not {EXPECTED}"))
        };
        match words.as_slice() {
            [time] => Ok(Self::Fixed(number(time)?)),
            ["uniform", low, high] => {
                let (low, high) = (number(low)?, number(high)?);
                if low > high {
                    return Err(format!("{low} is more than {high}; write the shorter time first"));
                }
                Ok(Self::Uniform(low, high))
            }
            ["normal", mean, deviation] => Ok(Self::Normal(number(mean)?, number(deviation)?)),
            ["lognormal", median, sigma] => {
                let sigma = number(sigma)?;
                if sigma > 5.0 {
                    return Err(format!("a sigma of {sigma} makes times without end; use 0 to 5"));
                }
                Ok(Self::LogNormal(number(median)?, sigma))
            }
            _ => Err(format!("{text:?} is not {EXPECTED}")),
        }
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Latency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Latency, E> {
                self.visit_str(&millis.to_string())
            }

            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Latency, E> {
                self.visit_str(&millis.to_string())
            }

            fn visit_f64<E: de::Error>(self, millis: f64) -> Result<Latency, E> {
                self.visit_str(&millis.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Latency, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn draws_are_where_they_should_be() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut sorted = |latency: &str| {
            let latency: Latency = latency.parse().unwrap();
            let mut all: Vec<u64> = (0..2001).map(|_| latency.draw(&mut rng)).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(sorted("5")[0], 5);
        let uniform = sorted("uniform 100 200");
        assert!(uniform[0] >= 100 && uniform[2000] <= 200 && (140..160).contains(&uniform[1000]));
        let normal = sorted("normal 1000 100");
        assert!((980..1020).contains(&normal[1000]) && (850..950).contains(&normal[317]), "{}", normal[317]);
        let tail = sorted("lognormal 1000 0.5");
        assert!((940..1060).contains(&tail[1000]) && tail[2000] > 3000);
        assert_eq!(sorted("normal 0 10")[0], 0, "never below 0");
    }

    #[test]
    fn what_is_no_time_is_told() {
        for wrong in ["", "x", "-1", "uniform 2 1", "normal 5", "lognormal 5 50", "exponential 5"] {
            assert!(wrong.parse::<Latency>().is_err(), "{wrong}");
        }
    }
}
