//! One step between its deadline, a wish to stop it, and its own bugs.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use sprout_proto::task::StepOutput;
use tokio::{
    pin, select,
    sync::watch,
    time::{Duration, Instant, sleep_until},
};

use crate::{
    driver::{DriverError, Reason, Result},
    steps::StepContext,
};

/// A wish to stop a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    /// Why, for the result.
    pub(super) reason: String,
    /// How long it may go on, to end by itself.
    pub(super) grace: Duration,
}

/// Runs `step` until it ends, its deadline passes, or it was told to stop and its grace is over.
pub(super) async fn supervise(
    ctx: &StepContext,
    name: &str,
    step: impl Future<Output = Result<StepOutput>>,
    deadline: Duration,
    mut stopped: watch::Receiver<Option<Stop>>,
) -> Result<StepOutput> {
    // What the step leaves behind in its own state is dropped with it.
    let step = AssertUnwindSafe(step).catch_unwind();
    let expiry = tokio::time::sleep(deadline);
    pin!(step, expiry);
    let mut stopping: Option<(String, Instant)> = None;
    loop {
        let stop_at = stopping.as_ref().map(|(_, at)| *at);
        select! {
            biased;
            result = &mut step => return result.unwrap_or_else(|panic| Err(panicked(name, &*panic))),
            () = &mut expiry => {
                let message = format!("{name} did not end within {} s; at last: {}", deadline.as_secs_f64(), ctx.last_status());
                return Err(DriverError::new(Reason::Deadline, message));
            }
            () = sleep_until(stop_at.unwrap_or_else(Instant::now)), if stop_at.is_some() => {
                let reason = stopping.map_or_else(String::new, |(reason, _)| reason);
                return Err(DriverError::new(Reason::Cancelled, reason));
            }
            Ok(()) = stopped.changed() => {
                if let Some(Stop { reason, grace }) = stopped.borrow_and_update().clone() {
                    let at = Instant::now() + grace;
                    // A later wish can only shorten the grace.
                    if stop_at.is_none_or(|present| at < present) {
                        stopping = Some((reason, at));
                    }
                }
            }
        }
    }
}

fn panicked(name: &str, panic: &(dyn std::any::Any + Send)) -> DriverError {
    let what = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let what = what.unwrap_or("without a message");
    tracing::error!(step = name, what, "a step panicked");
    let message = format!("{name} failed by a mistake in the worker ({what}); report it with the worker's log");
    DriverError::new(Reason::ProviderError, message)
}
