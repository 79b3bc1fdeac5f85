//! Counts calls and how long they take, for metrics. Methods are those of the access table, so there are no more of them than rpcs, whatever is called.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use tonic::Code;

use crate::status::name;

/// Seconds; from what is answered of memory to what waits for a provider.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];
/// What is not in the access table.
const UNKNOWN: &str = "unknown";

type Counts = Family<[(&'static str, String); 2], Counter>;
type Times = Family<[(&'static str, String); 1], Histogram, fn() -> Histogram>;

/// Calls so far; clones share it.
#[derive(Debug, Clone)]
pub struct Meter {
    counts: Counts,
    times: Times,
}

impl Default for Meter {
    fn default() -> Self {
        Self { counts: Counts::default(), times: Times::new_with_constructor(|| Histogram::new(BUCKETS)) }
    }
}

impl Meter {
    /// Counts a call, by its path if that is known.
    pub(crate) fn count(&self, path: Option<&str>, code: Code, took: Duration) {
        let method = path.map_or(UNKNOWN, |path| path.trim_start_matches('/')).to_owned();
        self.counts.get_or_create(&[("method", method.clone()), ("code", name(code).to_owned())]).inc();
        self.times.get_or_create(&[("method", method)]).observe(took.as_secs_f64());
    }

    /// Shows what was counted.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("rpcs", "Calls that were answered, streams when they began", self.counts.clone());
        registry.register(
            "rpc_seconds",
            "Time until calls were answered, of streams until they began",
            self.times.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_what_is_known_of_them() {
        let (meter, mut registry, mut text) = (Meter::default(), Registry::default(), String::new());
        meter.count(Some("/sprout.pool.v1.PoolService/GetPool"), Code::Ok, Duration::from_millis(3));
        meter.count(None, Code::Unimplemented, Duration::from_millis(3));
        meter.register(&mut registry);
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("rpcs_total{method=\"sprout.pool.v1.PoolService/GetPool\",code=\"OK\"} 1"), "{text}");
        assert!(text.contains("rpcs_total{method=\"unknown\",code=\"UNIMPLEMENTED\"} 1"), "{text}");
        assert!(text.contains("rpc_seconds_bucket{le=\"0.005\",method=\"unknown\"} 1"), "{text}");
    }
}
