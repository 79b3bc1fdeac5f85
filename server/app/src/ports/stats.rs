//! Numbers over time, as the store keeps them.

use std::time::Duration;

use async_trait::async_trait;
use sprout_domain::{
    Result, Timestamp,
    stats::{Flows, Levels, Sample},
};

/// Samples, and what they are made of.
#[async_trait]
pub trait StatsRows: Send {
    /// How things stand, counted by the database along its indexes.
    async fn count_levels(&mut self) -> Result<Levels>;

    /// What the events after a sequence and up to another one say, summed up by minute: a moment of each minute, and what happened in it. The events
    /// of a minute may be summed up in several parts.
    async fn count_flows(&mut self, after: i64, until: i64) -> Result<Vec<(Timestamp, Flows)>>;

    /// When the first event after a sequence happened; none: there is none.
    async fn happened_after(&mut self, sequence: i64) -> Result<Option<Timestamp>>;

    /// The first sample there is.
    async fn first_sample(&mut self) -> Result<Option<Sample>>;

    /// The last sample that ended at a moment or before; none: the last there is.
    async fn last_sample(&mut self, until: Option<Timestamp>) -> Result<Option<Sample>>;

    /// Samples that ended after a moment and at another one or before, in order.
    async fn samples(&mut self, after: Timestamp, until: Timestamp) -> Result<Vec<Sample>>;

    /// The first samples of one width that ended before a moment, in order.
    async fn old_samples(&mut self, width: Duration, before: Timestamp, limit: u64) -> Result<Vec<Sample>>;

    /// Replaces those that ended at these moments by others.
    async fn replace_samples(&mut self, gone: &[Timestamp], new: &[Sample]) -> Result<()>;
}
