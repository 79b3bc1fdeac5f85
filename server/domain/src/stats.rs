//! Numbers over time: what is written down each minute, how old rows are made fewer, and what a reader is told of a span of time.
//!
//! A sample ends a minute (later: 10 minutes, an hour). Its *levels* are how things stood at that end; without any, nobody looked. Its *flows* are
//! what happened since the one before, each event counted once. No sample is written where nothing happened: levels stay as they were, and flows
//! are none. So a reader carries levels forward, and where a sample has none, neither has what follows.

mod read;
mod wait;
mod write;

use std::{collections::BTreeMap, time::Duration};

use crate::{Timestamp, appliance::ApplianceState};

pub use self::{
    read::{Known, MAX_POINTS, Point, Span, points, span},
    wait::{BOUNDS, Waits},
    write::{HOUR, KEPT, MINUTE, TEN_MINUTES, THINNED, Thinned, minute_of, tallied, thinned},
};

/// How things stand at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    /// Pools that wait for appliances for which there is no room.
    pub waiting_pools: u64,
    /// Appliances that these wait for.
    pub waiting_seats: u64,
    /// Appliances in each state in which there are any, but gone.
    pub appliances: BTreeMap<ApplianceState, u64>,
    /// Ready ones that are kept for whoever asks next.
    pub warm: u64,
    /// Connected workers.
    pub workers: u64,
    /// Their slots, without those for deletions.
    pub slots: u64,
    /// Tasks that workers run.
    pub running_tasks: u64,
}

/// The most there was at once, as far as somebody looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Of waiting pools.
    pub waiting_pools: u64,
    /// Of appliances that these waited for.
    pub waiting_seats: u64,
    /// Of tasks that workers ran.
    pub running_tasks: u64,
}

impl From<&Levels> for Peaks {
    fn from(levels: &Levels) -> Self {
        let Levels { waiting_pools, waiting_seats, running_tasks, .. } = *levels;
        Self { waiting_pools, waiting_seats, running_tasks }
    }
}

impl Peaks {
    /// The higher ones of two.
    fn max(self, other: Self) -> Self {
        Self {
            waiting_pools: self.waiting_pools.max(other.waiting_pools),
            waiting_seats: self.waiting_seats.max(other.waiting_seats),
            running_tasks: self.running_tasks.max(other.running_tasks),
        }
    }
}

/// The higher ones of what is known.
fn highest(peaks: impl IntoIterator<Item = Option<Peaks>>) -> Option<Peaks> {
    peaks.into_iter().flatten().reduce(Peaks::max)
}

/// What happened in a span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flows {
    /// Pools that were requested.
    pub pools_requested: u64,
    /// Pools that failed.
    pub pools_failed: u64,
    /// Pools that became ready, by how long that took.
    pub waits: Waits,
    /// Appliances of those that were warm before.
    pub granted_warm: u64,
    /// Appliances of those that were deployed for them.
    pub deployed: u64,
    /// Appliances whose deployment failed.
    pub appliances_failed: u64,
    /// Workflows that failed.
    pub workflows_failed: u64,
    /// Steps on appliances that went well.
    pub tasks_done: u64,
    /// Tries of steps on appliances that did not.
    pub tasks_failed: u64,
}

impl Flows {
    /// Adds what happened in another span.
    pub fn add(&mut self, other: &Self) {
        let Self {
            pools_requested,
            pools_failed,
            waits,
            granted_warm,
            deployed,
            appliances_failed,
            workflows_failed,
            tasks_done,
            tasks_failed,
        } = self;
        *pools_requested += other.pools_requested;
        *pools_failed += other.pools_failed;
        waits.add(&other.waits);
        *granted_warm += other.granted_warm;
        *deployed += other.deployed;
        *appliances_failed += other.appliances_failed;
        *workflows_failed += other.workflows_failed;
        *tasks_done += other.tasks_done;
        *tasks_failed += other.tasks_failed;
    }
}

/// What is written down for a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its end.
    pub at: Timestamp,
    /// How long it is.
    pub width: Duration,
    /// Every event up to this one is counted in it or in an earlier one.
    pub sequence: i64,
    /// How things stood at its end; none: nobody looked.
    pub levels: Option<Levels>,
    /// The most there was at once; none: nobody looked.
    pub peaks: Option<Peaks>,
    /// What happened in it.
    pub flows: Flows,
}

impl Sample {
    /// With what was found of the same span later.
    #[must_use]
    pub fn with(mut self, later: Self) -> Self {
        self.flows.add(&later.flows);
        self.peaks = highest([self.peaks, later.peaks]);
        self.levels = later.levels.or(self.levels);
        self.sequence = self.sequence.max(later.sequence);
        self
    }
}

#[cfg(test)]
mod tests;
