//! Runs assigned steps, each as a task of its own under its deadline, and turns every end into a result: a value, an error, a
//! panic, a cancellation.
//!
//! A task id runs at most once here: an assignment with a newer epoch replaces the older one, and starts when that has stopped.

mod supervise;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sprout_proto::{
    task::{StepError, StepOutput, step_input::Step},
    worker::{Assign, Done, TaskRef, done},
};
use tokio::{sync::watch, task::JoinHandle, time::Duration};
use tracing::Instrument as _;

use self::supervise::{Stop, supervise};
use crate::{
    crash::crash_point,
    driver::{DriverError, Reason, Result},
    leave::Leave,
    outbox::Outbox,
    registry::Drivers,
    steps::{self, Interrupt, StepContext},
};

/// A step that acts is given this long to end by itself when it is to stop: a known result is worth more than time.
const GRACE: Duration = Duration::from_secs(5);
/// While leaving, what is still assigned is handed back after this pause: a server that knows no other worker would assign it
/// again at once, and round it would go.
const HAND_BACK: Duration = Duration::from_millis(250);

/// Runs steps. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Executor(Arc<Inner>);

struct Inner {
    drivers: Drivers,
    outbox: Arc<Outbox>,
    tasks: Mutex<Tasks>,
    level: watch::Sender<Leave>,
    counts: watch::Sender<Counts>,
}

#[derive(Default)]
struct Tasks {
    running: HashMap<u64, Running>,
    /// All is done and said: nothing more is taken in, not even to be handed back.
    closed: bool,
}

/// What `Tasks` holds, for those who wait for its end.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Steps that run.
    busy: usize,
    /// These and those to be handed back.
    all: usize,
}

struct Running {
    task: TaskRef,
    /// `None`: nothing runs, it is to be handed back.
    interrupt: Option<Interrupt>,
    wishes: watch::Sender<Option<Stop>>,
    handle: JoinHandle<()>,
}

impl Executor {
    pub(crate) fn new(drivers: Drivers, outbox: Arc<Outbox>) -> Self {
        Self(Arc::new(Inner {
            drivers,
            outbox,
            tasks: Mutex::default(),
            level: watch::Sender::default(),
            counts: watch::Sender::default(),
        }))
    }

    /// Runs a step, unless it runs already.
    pub(crate) fn assign(&self, assign: Assign) {
        let Some(task) = assign.task else {
            tracing::error!("the server assigned a step without saying of which task; ignored");
            return;
        };
        let mut tasks = self.tasks();
        if tasks.closed {
            tracing::info!(
                task.task_id,
                task.epoch,
                "assigned too late; the server will notice that this worker has left"
            );
            return;
        }
        let before = match tasks.running.get(&task.task_id) {
            Some(known) if known.task.epoch >= task.epoch => {
                tracing::debug!(task.task_id, task.epoch, "assigned again; it runs already");
                return;
            }
            Some(_) => tasks.running.remove(&task.task_id),
            None => None,
        };
        for known in self.0.outbox.unacknowledged().iter().filter(|known| known.task_id == task.task_id) {
            if known.epoch >= task.epoch {
                return self.0.outbox.repeat(known);
            }
            self.0.outbox.forget(known);
        }
        let step = assign.input.as_ref().and_then(|input| input.step.as_ref());
        let leaving = *self.0.level.borrow() > Leave::Stay;
        let interrupt = (!leaving).then(|| step.map_or(Interrupt::Action, steps::interrupt));
        let (wishes, wish) = watch::channel(None);
        let span = tracing::info_span!(
            "step",
            task.task_id,
            task.epoch,
            step = step.map(steps::name),
            provider = assign.provider.as_ref().map(|provider| provider.key.as_str()),
            appliance = step.and_then(steps::appliance),
        );
        let (executor, before) = (self.clone(), before.map(|before| self.replace(before)));
        let work = async move {
            if let Some(before) = before {
                // Aborted: it ends at its next pause. How it ended is nobody's business any more.
                let _ = before.await;
            }
            let result = if leaving { executor.hand_back(wish).await } else { executor.run(&assign, wish).await };
            executor.finish(task, result);
        };
        let handle = tokio::spawn(work.instrument(span));
        tasks.running.insert(task.task_id, Running { task, interrupt, wishes, handle });
        self.count(&tasks);
    }

    /// Stops a step, which answers with its result; so does one that is not here, lest the server wait for it.
    pub(crate) fn cancel(&self, task: &TaskRef, reason: &str) {
        tracing::info!(task.task_id, task.epoch, reason, "cancelled by the server");
        let reason = format!("cancelled: {reason}");
        let tasks = self.tasks();
        if let Some(known) = tasks.running.get(&task.task_id).filter(|known| known.task == *task) {
            let grace = if known.interrupt == Some(Interrupt::Wait) { Duration::ZERO } else { GRACE };
            known.stop(reason, grace);
        } else if self.0.outbox.unacknowledged().contains(task) {
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
        let mut held: Vec<_> = self.tasks().running.values().map(|known| known.task).collect();
        for ended in self.0.outbox.unacknowledged() {
            if !held.contains(&ended) {
                held.push(ended);
            }
        }
        held
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
        for known in self.tasks().running.values() {
            let grace = match (known.interrupt, level) {
                (None, _)
                | (_, Leave::Stay | Leave::Drain)
                | (Some(Interrupt::Action | Interrupt::Creation), Leave::Finish) => continue,
                (Some(Interrupt::Creation), Leave::HandBack) => GRACE,
                (Some(_), Leave::Finish | Leave::HandBack | Leave::Soon | Leave::Now) => Duration::ZERO,
            };
            known.stop(LEAVING.to_owned(), grace);
        }
    }

    /// How urgently it leaves.
    pub(crate) fn level(&self) -> watch::Receiver<Leave> {
        self.0.level.subscribe()
    }

    /// Ends when it leaves and nothing runs any more. What is to be handed back is handed back then, and nothing is taken in
    /// after that.
    pub(crate) async fn left(&self) {
        let (mut level, mut counts) = (self.0.level.subscribe(), self.0.counts.subscribe());
        // Waiting could only fail if this executor were gone, which holds the other ends.
        let _ = level.wait_for(|level| *level > Leave::Stay).await;
        let _ = counts.wait_for(|counts| counts.busy == 0).await;
        {
            let mut tasks = self.tasks();
            tasks.closed = true;
            tasks.running.values().for_each(|known| known.stop(LEAVING.to_owned(), Duration::ZERO));
        }
        let _ = counts.wait_for(|counts| counts.all == 0).await;
    }

    async fn run(&self, assign: &Assign, stopped: watch::Receiver<Option<Stop>>) -> Result<StepOutput> {
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
        let ctx = StepContext::new(driver, Arc::clone(&self.0.outbox), task);
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
        crash_point(&format!("worker.{name}.before"));
        let result = supervise(ctx, name, steps::run(ctx, step), deadline, stopped).await;
        crash_point(&format!("worker.{name}.after"));
        result
    }

    /// Does nothing for a while, then gives the task back.
    async fn hand_back(&self, mut stopped: watch::Receiver<Option<Stop>>) -> Result<StepOutput> {
        // Either way it is handed back.
        let _ = tokio::time::timeout(HAND_BACK, stopped.changed()).await;
        Err(DriverError::new(Reason::Cancelled, LEAVING))
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
        known.handle.abort();
        self.0.outbox.forget(&known.task);
        known.handle
    }

    fn count(&self, tasks: &Tasks) {
        let busy = tasks.running.values().filter(|known| known.interrupt.is_some()).count();
        self.0.counts.send_replace(Counts { busy, all: tasks.running.len() });
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
    let result = match result {
        Ok(output) => done::Result::Output(output),
        Err(DriverError { reason, message }) => done::Result::Error(StepError { reason: reason.into(), message }),
    };
    Done { task: Some(task), result: Some(result) }
}
