//! How steps wait where a provider has no events: looking again with growing pauses, and with patience for a provider that
//! does not answer for a while.

use tokio::time::{Duration, Instant, sleep};

use super::StepContext;
use crate::driver::{DriverError, Reason, Result};

/// The first pause: a container has its address within a few of these.
const FIRST: Duration = Duration::from_millis(10);
/// The longest pause between two looks at a provider.
pub(super) const LOOKS: Duration = Duration::from_millis(500);
/// The longest pause between two tries of a probe: what it finds is what users wait for.
pub(super) const PROBES: Duration = Duration::from_millis(250);
/// A provider may stay silent this long while a step waits; then the step says so, and the server decides.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pauses that grow by a sixteenth each, up to a limit: the end of a wait is noticed later by at most a sixteenth of its length.
pub(super) struct Pauses {
    next: Duration,
    limit: Duration,
}

impl Pauses {
    pub(super) fn up_to(limit: Duration) -> Self {
        Self { next: FIRST, limit }
    }

    pub(super) async fn wait(&mut self) {
        let pause = self.next;
        self.next = (pause * 17 / 16).min(self.limit);
        sleep(pause).await;
    }
}

/// Forgives a provider that does not answer, for a time. Anything else it says counts at once.
#[derive(Default)]
pub(super) struct Patience {
    silent_since: Option<Instant>,
}

impl Patience {
    /// `None` for "not answered, try again".
    pub(super) fn forgive<T>(&mut self, ctx: &StepContext, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(answer) => {
                self.silent_since = None;
                Ok(Some(answer))
            }
            Err(error) if error.reason == Reason::Unreachable => self.bear(ctx, error).map(|()| None),
            Err(error) => Err(error),
        }
    }

    fn bear(&mut self, ctx: &StepContext, error: DriverError) -> Result<()> {
        let since = *self.silent_since.get_or_insert_with(|| {
            ctx.warn(format!("the provider does not answer: {error}"));
            Instant::now()
        });
        ctx.status(None, format!("the provider does not answer: {error}"));
        if since.elapsed() < PATIENCE { Ok(()) } else { Err(error) }
    }
}
