//! The seam for simulations, in which whole servers run within one thread and time is made up: statements then run to their end at once,
//! so that neither time nor anything else moves on while the database works, and the simulation decides what time it is and what fails.

use std::{
    fmt,
    pin::{Pin, pin},
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::DbErr;
use sprout_domain::{Result, Timestamp};
use tokio::time::timeout;

use crate::error::{from_db, late};

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is about to begin.
    Begin,
    /// One of its statements is about to run.
    Statement,
    /// It is about to be committed.
    Commit,
    /// It was committed, which its owner does not know yet.
    Committed,
}

/// A simulation around a store.
#[async_trait]
pub trait Simulation: fmt::Debug + Send + Sync {
    /// What the database's clock shows.
    fn now(&self) -> Timestamp;

    /// Runs work with the database to its end, in this thread and yet within a run time whose time is real.
    fn drive(&self, work: Pin<&mut dyn Future<Output = ()>>);

    /// Called at each moment of each transaction. An error takes the place of what was about to be done, or of the news that it is done; one that
    /// never answers at [`Moment::Begin`] is a process that died.
    async fn pass(&self, moment: Moment) -> Result<()>;
}

/// Does `work` within the time allowed; in a simulation at once.
pub(crate) async fn bounded<T>(
    simulation: Option<&dyn Simulation>,
    deadline: Duration,
    work: impl Future<Output = Result<T, DbErr>>,
) -> Result<T> {
    let done = match simulation {
        None => timeout(deadline, work).await,
        Some(simulation) => {
            let mut done = None;
            simulation.drive(pin!(async { done = Some(timeout(deadline, work).await) }));
            done.ok_or_else(late)?
        }
    };
    done.map_err(|_| late())?.map_err(from_db)
}

/// Tells the simulation, if there is one, how far a transaction is.
pub(crate) async fn pass(simulation: Option<&dyn Simulation>, moment: Moment) -> Result<()> {
    match simulation {
        None => Ok(()),
        Some(simulation) => simulation.pass(moment).await,
    }
}
