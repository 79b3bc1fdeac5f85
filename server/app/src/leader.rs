//! Which of several servers leads: it runs the jobs, and what else only one of them should do.

use std::time::Duration;

use sprout_domain::Result;

use crate::{App, ports::Topic, work::Work};

/// Without a renewal the leadership ends after this time, by the database's clock.
pub const LEADERSHIP_LEASE: Duration = Duration::from_secs(6);
/// It is renewed, or asked for, this often.
pub const LEADERSHIP_RENEWAL: Duration = Duration::from_secs(2);

/// What is led.
const SCHEDULER: &str = "scheduler";

/// A term of leadership: from when a server took it to when another one does. That it still lasts is known only inside a transaction that
/// holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term(pub(crate) i64);

impl Term {
    /// A term that was never granted: no transaction holds it.
    #[doc(hidden)]
    pub fn for_test(epoch: i64) -> Self {
        Self(-epoch)
    }
}

impl App {
    /// Takes the leadership if it is free, or keeps it. None: another server leads.
    pub async fn lead(&self, server: &str) -> Result<Option<Term>> {
        let mut work = self.work().await?;
        let epoch = work.tx.lead(SCHEDULER, server, LEADERSHIP_LEASE).await?;
        work.commit().await?;
        Ok(epoch.map(Term))
    }

    /// Gives the leadership up, so that another server has it at once.
    pub async fn step_down(&self, server: &str) -> Result<()> {
        let mut work = self.work().await?;
        work.tx.step_down(SCHEDULER, server).await?;
        work.wake(Topic::Leadership);
        work.commit().await
    }
}

impl Work {
    /// Whether the term lasts; if so, it does until this transaction ends. So a leader that was paused, and replaced meanwhile, does nothing more.
    pub(crate) async fn hold(&mut self, term: Term) -> Result<bool> {
        self.tx.hold_leadership(SCHEDULER, term.0).await
    }
}
