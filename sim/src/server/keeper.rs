//! Keeps the provider: one caller at a time, a clock, and each change on disk before its call is answered.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::Notify, time::sleep};
use tonic::Status;

use super::{
    Error,
    files::{self, Journal},
};
use crate::core::{Begun, Call, Config, Millis, Outcome, Sim};

/// The provider and its files.
#[derive(Debug)]
pub(super) struct Keeper {
    kept: Mutex<Kept>,
    /// The clock: what it was at the start, so that it never runs backwards.
    started: (Instant, Millis),
    failed: Notify,
}

#[derive(Debug)]
struct Kept {
    sim: Sim,
    journal: Journal,
    /// Why it cannot go on: what is in memory is not what is on disk.
    error: Option<Error>,
}

impl Keeper {
    /// Restores what was kept.
    pub(super) fn open(state: &Path, config: Config, appliance_port: u16) -> Result<Self, Error> {
        let (mut sim, journal) = files::open(state, config)?;
        sim.set_appliance_port(appliance_port);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(instances = sim.instances(), state = %state.display(), "state restored");
        let kept = Mutex::new(Kept { sim, journal, error: None });
        Ok(Self { kept, started: (Instant::now(), now), failed: Notify::new() })
    }

    /// Waits until the state cannot be kept, and says why.
    pub(super) async fn failed(&self) -> Error {
        loop {
            self.failed.notified().await;
            if let Some(error) = self.lock().error.take() {
                return error;
            }
        }
    }

    /// One call, from beginning to end.
    pub(super) async fn perform(&self, call: &Call) -> Result<Outcome, Status> {
        let Begun { acts_at, struck } = self.with(|sim, now| sim.begin(now, call))?;
        self.until(acts_at).await;
        let outcome = self.with(|sim, now| sim.act(now, call, struck))?;
        self.until(outcome.answered_at).await;
        Ok(outcome)
    }

    /// What the provider says, once what it did for that is in the journal.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Sim, Millis) -> T) -> Result<T, Status> {
        let mut kept = self.lock();
        if kept.error.is_some() {
            return Err(lost());
        }
        let done = act(&mut kept.sim, self.now());
        let entries = kept.sim.take_entries();
        if entries.is_empty() {
            return Ok(done);
        }
        if let Err(error) = kept.journal.append(&entries) {
            kept.error = Some(error);
            self.failed.notify_one();
            return Err(lost());
        }
        Ok(done)
    }

    /// What an instance answers with, if one answers at this address.
    pub(super) fn version_at(&self, address: Ipv4Addr) -> Option<String> {
        self.with(|sim, now| sim.answer_at(now, address).map(str::to_owned)).ok().flatten()
    }

    /// The journal's file and its length, with everything in it that is due by now.
    pub(super) fn journal(&self) -> Result<(PathBuf, u64), Status> {
        self.with(Sim::settle)?;
        Ok(self.lock().journal.extent())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Millis {
        let (instant, then) = self.started;
        then + u64::try_from(instant.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn until(&self, at: Millis) {
        let left = at.saturating_sub(self.now());
        if left > 0 {
            sleep(std::time::Duration::from_millis(left)).await;
        }
    }
}

fn lost() -> Status {
    Status::unavailable("the simulator cannot write its state; see its log")
}
