//! Waits until all probes pass, all at once, each in its own time. May be repeated: it only looks.
//!
//! Meanwhile it keeps an eye on the appliance itself: one that stopped will never pass, so its deadline is not waited for.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use futures::future::try_join_all;
use sprout_proto::{
    appliance::Endpoint,
    group::{Probe, probe::Check},
    task::{StepOutput, WaitReadyStep},
};
use tokio::time::{Duration, Instant, sleep};

use super::{
    StepContext, done, invalid,
    look::{Pulse, Subject},
    named,
    poll::{self, Pauses},
};
use crate::{
    driver::{DriverError, Reason, Result},
    probe,
};

/// Pause between two looks at the appliance; they guard against the rare case, and cost the provider a call each.
const LOOK: Duration = Duration::from_secs(1);
/// The same while the last look saw it stopped.
const DOUBT: Duration = Duration::from_millis(250);
/// One try may take this long if the group does not say.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(ctx: &StepContext, step: &WaitReadyStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let targets = step.probes.iter().map(|probe| Target::new(probe, &step.endpoints)).collect::<Result<Vec<_>>>()?;
    let board = Board::new(ctx, &targets);
    let probing = try_join_all(targets.iter().enumerate().map(|(n, target)| target.pass(n, subject, &board)));
    tokio::select! {
        biased;
        passed = probing => passed.map(|_| done()),
        ended = watch(ctx, subject) => Err(ended),
    }
}

/// One probe and where it goes.
struct Target<'a> {
    probe: &'a Probe,
    check: &'a Check,
    endpoint: &'a Endpoint,
    timeout: Duration,
    deadline: Option<Duration>,
}

impl<'a> Target<'a> {
    fn new(probe: &'a Probe, endpoints: &'a [Endpoint]) -> Result<Self> {
        let name = &probe.endpoint;
        let duration = |value: Option<prost_types::Duration>| {
            let length = value.map(Duration::try_from).transpose();
            length.map_err(|_| invalid(format!("a probe of {name} has a negative duration; correct it in the group")))
        };
        let unknown =
            || invalid(format!("a probe of {name} is of a kind this worker does not know; update the worker"));
        let nowhere =
            || invalid(format!("a probe names the endpoint {name}, which is not there; correct it in the group"));
        Ok(Self {
            probe,
            check: probe.check.as_ref().ok_or_else(unknown)?,
            endpoint: endpoints.iter().find(|endpoint| endpoint.name == *name).ok_or_else(nowhere)?,
            timeout: duration(probe.timeout)?.filter(|timeout| !timeout.is_zero()).unwrap_or(TIMEOUT),
            deadline: duration(probe.deadline)?.filter(|deadline| !deadline.is_zero()),
        })
    }

    /// Tries until the probe passes or its time is over. Without a deadline of its own it has that of the step.
    async fn pass(&self, n: usize, subject: Subject<'_>, board: &Board<'_>) -> Result<()> {
        let start = Instant::now();
        let mut pauses = Pauses::up_to(poll::PROBES);
        loop {
            let left = self.deadline.map_or(Duration::MAX, |deadline| deadline.saturating_sub(start.elapsed()));
            match probe::attempt(self.check, self.endpoint, self.timeout.min(left)).await {
                Ok(()) => {
                    board.put(n, None);
                    return Ok(());
                }
                Err(failure) if self.deadline.is_some_and(|deadline| start.elapsed() >= deadline) => {
                    let Endpoint { host, port, .. } = self.endpoint;
                    let message = format!(
                        "{} did not get ready: its {} at {host}:{port} gave \"{failure}\" for {} s; look at its log, or raise the \
                         probe's deadline in the group",
                        subject.name,
                        self.probe.endpoint,
                        start.elapsed().as_secs(),
                    );
                    return Err(DriverError::new(Reason::Deadline, message));
                }
                Err(failure) => board.put(n, Some(format!("{}: {failure}", self.probe.endpoint))),
            }
            pauses.wait().await;
        }
    }
}

/// What each probe last gave: the step's status line.
struct Board<'a> {
    ctx: &'a StepContext,
    lines: Mutex<Vec<Option<String>>>,
}

impl<'a> Board<'a> {
    fn new(ctx: &'a StepContext, targets: &[Target<'_>]) -> Self {
        let lines = targets.iter().map(|target| Some(format!("{}: asking", target.probe.endpoint))).collect();
        Self { ctx, lines: Mutex::new(lines) }
    }

    /// Notes what a probe gave; `None`: it passed.
    fn put(&self, n: usize, line: Option<String>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines[n] = line;
        let (mut failing, mut text) = (0, String::new());
        for line in lines.iter().flatten() {
            let separator = if failing == 0 { "" } else { "; " };
            failing += 1;
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{line}");
        }
        let percent = u32::try_from(100 * (lines.len() - failing) / lines.len()).unwrap_or_default();
        drop(lines);
        self.ctx.status(Some(percent), if failing == 0 { "all probes pass".to_owned() } else { text });
    }
}

/// Ends when the appliance has ended. What the provider does not tell is no reason to end: the probes decide.
async fn watch(ctx: &StepContext, subject: Subject<'_>) -> DriverError {
    let mut pulse = Pulse::default();
    loop {
        sleep(if pulse.doubtful() { DOUBT } else { LOOK }).await;
        match subject.look(ctx).await.map(|seen| pulse.check(subject, &seen)) {
            Ok(Err(ended)) => return ended,
            Ok(Ok(())) => {}
            Err(error) => tracing::debug!(%error, "looking at an appliance that is being probed"),
        }
    }
}
