//! What a measurement is and how it is printed.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

/// Durations of one kind, in microseconds.
pub(crate) struct Samples(Histogram<u64>);

impl Samples {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000, 3)?))
    }

    pub(crate) fn add(&mut self, duration: Duration) -> Result<()> {
        Ok(self.0.record(u64::try_from(duration.as_micros())?.max(1))?)
    }

    pub(crate) fn at_ms(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.0.value_at_quantile(quantile)).as_secs_f64() * 1000.0
    }
}

/// One line: what, how many, p50, p99, the longest.
pub(crate) fn print_row(what: &str, samples: &Samples) {
    let (p50, p99, max) = (samples.at_ms(0.5), samples.at_ms(0.99), samples.at_ms(1.0));
    println!("{what:<42} {:>8} {p50:>9.3} {p99:>9.3} {max:>9.3}", samples.0.len());
}

/// The heading above rows.
pub(crate) fn print_head(title: &str) {
    println!("\n{title:<42} {:>8} {:>9} {:>9} {:>9}", "samples", "p50 ms", "p99 ms", "max ms");
}
