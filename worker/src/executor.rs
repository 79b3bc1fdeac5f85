//! Runs assigned steps, each as a task of its own under its deadline, and turns every end into a result: a value, an error, a
//! panic, a cancellation.
//!
//! A task id runs at most once here: an assignment with a newer epoch replaces the older one, and starts when that has stopped.
//! A worker that leaves takes nothing in: what is assigned nevertheless (it crossed the worker's Leaving) goes back at once.

mod supervise;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prost::Message as _;
use sprout_proto::{
    task::{StepError, StepOutput, step_input::Step, step_output::Output},
    worker::{Assign, Done, TaskRef, done},
};
use tokio::{sync::watch, task::JoinHandle, time::Duration};
use tracing::Instrument as _;

use self::supervise::{Stop, supervise};
use crate::{
    crash::crash_point,
    driver::{DriverError, Reason, Result},
    lease::{Hold, Lease},
    leave::Leave,
    outbox::Outbox,
    registry::Drivers,
    steps::{self, Interrupt, StepContext},
};

/// A step that acts is given this long to end by itself when it is to stop: a known result is worth more than time.
const GRACE: Duration = Duration::from_secs(5);
/// The server takes no larger message, in bytes; room is left for what is around a result.
const RESULT_LIMIT: usize = (1 << 20) - (1 << 10);
/// Whoever asks what is on a provider takes this much of it: some 60,000 machines.
const LISTING_LIMIT: usize = 16 * RESULT_LIMIT;

/// Runs steps. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Executor(Arc<Inner>);

struct Inner {
    drivers: Drivers,
    outbox: Arc<Outbox>,
    lease: Arc<Lease>,
    tasks: Mutex<Tasks>,
    level: watch::Sender<Leave>,
    /// Steps that run, for those who wait for their end.
    busy: watch::Sender<usize>,
}

#[derive(Default)]
struct Tasks {
    running: BTreeMap<u64, Running>,
}

struct Running {
    task: TaskRef,
    interrupt: Interrupt,
    hold: Hold,
    wishes: watch::Sender<Option<Stop>>,
    handle: JoinHandle<()>,
}

impl Executor {
    pub(crate) fn new(drivers: Drivers, outbox: Arc<Outbox>, lease: Arc<Lease>) -> Self {
        Self(Arc::new(Inner {
            drivers,
            outbox,
            lease,
            tasks: Mutex::default(),
            level: watch::Sender::default(),
            busy: watch::Sender::default(),
        }))
    }

    /// Runs a step, unless it runs already.
    pub(crate) fn assign(&self, assign: Assign) {
        let Some(task) = assign.task else {
            tracing::error!("the server assigned a step without saying of which task; ignored");
            return;
        };
        let mut tasks = self.tasks();
        let before = match tasks.running.get(&task.task_id) {
            Some(known) if known.task.epoch >= task.epoch => {
                tracing::debug!(task.task_id, task.epoch, "assigned again; it runs already");
                return;
            }
            Some(_) => tasks.running.remove(&task.task_id),
            None => None,
        };
        if let Some(known) = self.0.outbox.ended(task.task_id) {
            if known.epoch >= task.epoch {
                return self.0.outbox.repeat(&known);
            }
            self.0.outbox.forget(&known);
        }
        let before = before.map(|before| self.replace(before));
        if *self.0.level.borrow() > Leave::Stay {
            tracing::info!(task.task_id, task.epoch, "assigned while leaving; handed back");
            self.0.outbox.done(done_with(task, Err(DriverError::new(Reason::Cancelled, LEAVING))));
            return self.count(&tasks);
        }
        let step = assign.input.as_ref().and_then(|input| input.step.as_ref());
        if let Some((step, output)) = step.and_then(|step| Some((step, steps::at_once(step)?))) {
            let name = steps::name(step);
            crash_point(name, "before");
            self.0.outbox.done(done_with(task, Ok(output)));
            crash_point(name, "after");
            return self.count(&tasks);
        }
        let interrupt = step.map_or(Interrupt::Action, steps::interrupt);
        let (hold, (wishes, wish)) = (Hold::new(&self.0.lease), watch::channel(None));
        let span = tracing::info_span!(
            "step",
            task.task_id,
            task.epoch,
            step = step.map(steps::name),
            provider = assign.provider.as_ref().map(|provider| provider.key.as_str()),
            appliance = step.and_then(steps::appliance),
        );
        let (executor, own) = (self.clone(), hold.clone());
        let work = async move {
            if let Some(before) = before {
                // Aborted: it ends at its next pause. How it ended is nobody's business any more.
                let _ = before.await;
            }
            let result = executor.run(&assign, own, wish).await;
            executor.finish(task, result);
        };
        let handle = tokio::spawn(work.instrument(span));
        tasks.running.insert(task.task_id, Running { task, interrupt, hold, wishes, handle });
        self.count(&tasks);
    }

    /// Stops a step, which answers with its result; so does one that is not here, lest the server wait for it.
    pub(crate) fn cancel(&self, task: &TaskRef, reason: &str) {
        tracing::info!(task.task_id, task.epoch, reason, "cancelled by the server");
        let reason = format!("cancelled: {reason}");
        let tasks = self.tasks();
        if let Some(known) = tasks.running.get(&task.task_id).filter(|known| known.task == *task) {
            let grace = if known.interrupt == Interrupt::Wait { Duration::ZERO } else { GRACE };
            known.stop(reason, grace);
        } else if self.0.outbox.ended(task.task_id).as_ref() == Some(task) {
            self.0.outbox.repeat(task);
        } else if !tasks.running.contains_key(&task.task_id) {
            self.0.outbox.done(done_with(*task, Err(DriverError::new(Reason::Cancelled, reason))));
        }
    }

    /// Stops a step that is no longer ours; nothing of it is reported.
    pub(crate) fn revoke(&self, task: &TaskRef) {
        let mut tasks = self.tasks();
        if tasks.running.get(&task.task_id).is_some_and(|known| known.task == *task)
            && let Some(known) = tasks.running.remove(&task.task_id)
        {
            tracing::warn!(task.task_id, task.epoch, "the step was given to another; stopped");
            drop(self.replace(known));
            self.count(&tasks);
        }
        drop(tasks);
        self.0.outbox.forget(task);
    }

    /// What runs here or has ended without the server knowing.
    pub(crate) fn held(&self) -> Vec<TaskRef> {
        // In this order: what ends in between is in both, never in none.
        let mut held: BTreeSet<_> = self.tasks().running.values().map(|known| key(&known.task)).collect();
        held.extend(self.0.outbox.unacknowledged().iter().map(key));
        held.into_iter().map(|(task_id, epoch)| TaskRef { task_id, epoch }).collect()
    }

    /// Leaves, or leaves faster.
    pub(crate) fn leave(&self, level: Leave) {
        let raised = self.0.level.send_if_modified(|present| {
            let higher = level > *present;
            *present = level.max(*present);
            higher
        });
        if !raised {
            return;
        }
        tracing::info!(?level, "leaving");
        self.0.outbox.leave();
        for known in self.tasks().running.values() {
            let grace = match (known.interrupt, level) {
                (_, Leave::Stay) | (Interrupt::Action | Interrupt::Creation, Leave::Finish) => continue,
                (Interrupt::Creation, Leave::HandBack) => GRACE,
                (_, Leave::Finish | Leave::HandBack | Leave::Soon | Leave::Now) => Duration::ZERO,
            };
            known.stop(LEAVING.to_owned(), grace);
        }
    }

    /// How urgently it leaves.
    pub(crate) fn level(&self) -> watch::Receiver<Leave> {
        self.0.level.subscribe()
    }

    /// Ends when it leaves and nothing runs any more. What is assigned after that is handed back for as long as the server listens.
    pub(crate) async fn left(&self) {
        let (mut level, mut busy) = (self.0.level.subscribe(), self.0.busy.subscribe());
        // Waiting could only fail if this executor were gone, which holds the other ends.
        let _ = level.wait_for(|level| *level > Leave::Stay).await;
        let _ = busy.wait_for(|busy| *busy == 0).await;
    }

    async fn run(&self, assign: &Assign, hold: Hold, stopped: watch::Receiver<Option<Stop>>) -> Result<StepOutput> {
        let invalid = |what: &str| {
            let message =
                format!("{what}; is this worker ({}) too old for its server? update it", env!("CARGO_PKG_VERSION"));
            DriverError::new(Reason::Invalid, message)
        };
        let step = assign.input.as_ref().and_then(|input| input.step.as_ref());
        let step = step.ok_or_else(|| invalid("the assigned step is unknown here"))?;
        let deadline = assign.deadline.and_then(|deadline| Duration::try_from(deadline).ok());
        let deadline = deadline.filter(|deadline| !deadline.is_zero());
        let deadline = deadline.ok_or_else(|| invalid("the assigned step has no deadline"))?;
        let provider = assign.provider.as_ref().ok_or_else(|| invalid("the assigned step names no provider"))?;
        let task = assign.task.ok_or_else(|| invalid("the assigned step names no task"))?;
        let driver = self.0.drivers.get(provider)?;
        let ctx = StepContext::new(driver, Arc::clone(&self.0.outbox), task, hold);
        self.perform(&ctx, step, deadline, stopped).await
    }

    async fn perform(
        &self,
        ctx: &StepContext,
        step: &Step,
        deadline: Duration,
        stopped: watch::Receiver<Option<Stop>>,
    ) -> Result<StepOutput> {
        let name = steps::name(step);
        crash_point(name, "before");
        let result = supervise(ctx, name, steps::run(ctx, step), deadline, stopped).await;
        crash_point(name, "after");
        result
    }

    /// Moves a task from running to done, unless it is no longer ours.
    fn finish(&self, task: TaskRef, result: Result<StepOutput>) {
        match &result {
            Ok(_) => tracing::debug!("done"),
            Err(error) => tracing::info!(reason = error.reason.as_str_name(), "failed: {error}"),
        }
        let mut tasks = self.tasks();
        if tasks.running.get(&task.task_id).is_some_and(|known| known.task == task) {
            self.0.outbox.done(done_with(task, result));
            tasks.running.remove(&task.task_id);
            self.count(&tasks);
        }
    }

    /// Ends a task that another takes the place of.
    fn replace(&self, known: Running) -> JoinHandle<()> {
        known.hold.lose();
        known.handle.abort();
        self.0.outbox.forget(&known.task);
        known.handle
    }

    fn count(&self, tasks: &Tasks) {
        self.0.busy.send_replace(tasks.running.len());
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LEAVING: &str = "handed back: the worker is leaving";

impl Running {
    fn stop(&self, reason: String, grace: Duration) {
        self.wishes.send_replace(Some(Stop { reason, grace }));
    }
}

fn done_with(task: TaskRef, result: Result<StepOutput>) -> Done {
    let limit = match &result {
        Ok(StepOutput { output: Some(Output::ListMachines(_)) }) => LISTING_LIMIT,
        _ => RESULT_LIMIT,
    };
    let result = match result {
        Ok(output) => done::Result::Output(output),
        Err(DriverError { reason, message }) => done::Result::Error(StepError { reason: reason.into(), message }),
    };
    let done = Done { task: Some(task), result: Some(result) };
    match done.encoded_len() {
        bytes if bytes <= limit => done,
        bytes => {
            let message =
                format!("the result of this step is too large to be sent ({bytes} bytes); see what the provider lists");
            done_with(task, Err(DriverError::new(Reason::ProviderError, message)))
        }
    }
}

fn key(task: &TaskRef) -> (u64, u64) {
    (task.task_id, task.epoch)
}
