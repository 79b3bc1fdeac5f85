//! What is measured, one file per scenario.

mod api;
mod checkout;
mod containers;
mod deploy;
mod dispatch;
mod failover;
mod idle;
mod peers;
mod scale;
mod watch;

use anyhow::Result;

use crate::{report::Report, services::Services};

/// A scenario: measures, and adds its rows.
type Run = for<'a> fn(&'a Services, &'a mut Report) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// One scenario.
pub(crate) struct Scenario {
    /// As given on the command line.
    pub(crate) name: &'static str,
    /// Part of a run that names none.
    pub(crate) usual: bool,
    pub(crate) run: Run,
}

/// Why a scenario did not measure, where that is no failure.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotHere(pub(crate) String);

macro_rules! scenarios {
    ($($name:literal $usual:literal $run:path;)*) => {
        &[$(Scenario { name: $name, usual: $usual, run: |services, report| Box::pin($run(services, report)) }),*]
    };
}

/// All, in the order in which they run: peers first, for the others are compared with them.
pub(crate) const ALL: &[Scenario] = scenarios! {
    "floor" true peers::floor;
    "celery" true peers::celery;
    "checkout" true checkout::checkout;
    "burst" true checkout::burst;
    "sustained" true checkout::sustained;
    "dispatch" true dispatch::run;
    "api" true api::run;
    "scale" true scale::run;
    "watch" true watch::run;
    "deploy" true deploy::run;
    "failover" true failover::run;
    "idle" true idle::run;
    "containers" false containers::run;
};
