//! Until when this worker's tasks are surely its own, so that a worker that was stopped, cut off or put to sleep begins nothing
//! that is someone else's meanwhile.
//!
//! The server gives a worker's tasks to others when it was not heard for the length of the lease. It confirms each Heartbeat; from
//! the moment one was *sent*, not confirmed, the lease counts. Between two confirmations the worker measures by a clock that goes
//! on while the process is stopped, and while the machine sleeps.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::time::{ClockId, clock_gettime};
use sprout_proto::worker::Heartbeat;
use tokio::{
    sync::Notify,
    time::{Duration, Instant},
};

#[cfg(test)]
mod tests;

/// Heartbeats whose confirmation is still of use; older ones are long over.
const PENDING: usize = 16;
/// The two clocks cannot be read at one instant; differences below this are no sleep.
const BLUR: Duration = Duration::from_millis(100);

/// The lease of this worker on all its tasks.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    state: Mutex<State>,
    renewed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// As the server named it. Without, it takes no tasks away by it, and everything is sure.
    length: Option<Duration>,
    since: Option<Moment>,
    number: u64,
    pending: VecDeque<(u64, Moment)>,
}

/// A moment that can be measured from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    slept: Duration,
}

impl Moment {
    /// Now.
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), slept: slept() }
    }

    /// How long ago it was, sleep of the machine included.
    fn age(&self) -> Duration {
        let slept = slept().saturating_sub(self.slept);
        self.at.elapsed() + if slept < BLUR { Duration::ZERO } else { slept }
    }
}

/// How long this machine has slept since it was booted: what tokio's clock (and its stand-in in tests) does not count.
fn slept() -> Duration {
    let read = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    let awake = read(ClockId::Monotonic);
    read(ClockId::Boottime).saturating_sub(awake)
}

impl Lease {
    /// A session began with a Hello at `since`; the server named a lease of this `length`. What it says is no longer ours must have
    /// been revoked before.
    pub(crate) fn open(&self, since: Moment, length: Option<Duration>) {
        let mut state = self.state();
        state.length = length;
        state.since = Some(since);
        state.pending.clear();
        drop(state);
        self.renewed.notify_waiters();
    }

    /// A heartbeat to send now.
    pub(crate) fn beat(&self) -> Heartbeat {
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        state.pending.push_back((number, Moment::now()));
        if state.pending.len() > PENDING {
            state.pending.pop_front();
        }
        Heartbeat { number }
    }

    /// The server has written down the heartbeat of this number.
    pub(crate) fn heard(&self, number: u64) {
        let mut state = self.state();
        while let Some((pending, at)) = state.pending.pop_front() {
            if pending == number {
                state.since = Some(at);
                break;
            }
            if pending > number {
                state.pending.push_front((pending, at));
                break;
            }
        }
        drop(state);
        self.renewed.notify_waiters();
    }

    /// Whether the tasks are surely this worker's. A tenth of the lease is kept for safety: 1 s of 10 s.
    fn is_valid(&self) -> bool {
        let state = self.state();
        match (state.length, &state.since) {
            (None, _) => true,
            (Some(length), Some(since)) => since.age() < length * 9 / 10,
            (Some(_), None) => false,
        }
    }

    async fn valid(&self) {
        loop {
            let renewed = self.renewed.notified();
            tokio::pin!(renewed);
            renewed.as_mut().enable();
            if self.is_valid() {
                return;
            }
            renewed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task's hold on its assignment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hold {
    lease: Arc<Lease>,
    /// A step that runs just now notices its end only at its next pause: this says it at once.
    lost: Arc<AtomicBool>,
}

impl Hold {
    /// A hold that lasts as long as the lease, until it is lost.
    pub(crate) fn new(lease: &Arc<Lease>) -> Self {
        Self { lease: Arc::clone(lease), lost: Arc::default() }
    }

    /// The task is no longer this worker's.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
    }

    /// Whether the task is surely this worker's just now.
    pub(crate) fn is_sure(&self) -> bool {
        self.lease.is_valid() && !self.lost.load(Ordering::SeqCst)
    }

    /// Waits until the lease is valid. Whether the task is this worker's then.
    pub(crate) async fn sure(&self) -> bool {
        self.lease.valid().await;
        !self.lost.load(Ordering::SeqCst)
    }
}
