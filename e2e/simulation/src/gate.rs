//! Between a server and its database: time, faults, and the points at which servers die.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use sprout_domain::{Error, Reason, Result, Timestamp};
use sprout_store::{Moment, Simulation};
use tokio::{select, time::sleep};

use crate::{
    check::Watch,
    world::{Life, World},
};

/// Which commit of a run a server dies at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It was never made.
    Before,
    /// It was made, and nobody heard of it.
    After,
}

/// The gate of one life of one server.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) world: Arc<World>,
    pub(crate) life: Life,
    pub(crate) watch: Arc<Watch>,
    /// Dies at this commit.
    pub(crate) dies_at: Option<(u64, Side)>,
}

/// In a storm, one in so many commits kills its server, or is of unknown outcome; one in so many statements fails.
const DEATHS: u32 = 250;
const UNKNOWN: u32 = 250;
const FAILURES: u32 = 4_000;

impl Gate {
    fn dies(&self, commit: u64, side: Side) -> Result<()> {
        if self.dies_at == Some((commit, side)) || self.world.mishap(DEATHS) {
            self.world.note(self.life.name(), format_args!("dies {side:?} commit {commit}"));
            self.life.end();
            return Err(gone());
        }
        Ok(())
    }
}

fn gone() -> Error {
    Error::new(Reason::DatabaseUnavailable, "the simulation took the database away")
}

#[async_trait]
impl Simulation for Gate {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn drive(&self, work: Pin<&mut dyn Future<Output = ()>>) {
        self.world.beside(work);
    }

    async fn pass(&self, moment: Moment) -> Result<()> {
        if moment == Moment::Begin {
            // The way to the database takes its time, so that others overtake.
            let wait = self.world.some_time(0..4);
            select! {
                biased;
                () = self.life.over() => {}
                () = sleep(wait) => {}
            }
            self.life.goes_on().await;
            return Ok(());
        }
        if self.life.is_over() {
            return Err(gone()); // and with that, whatever is under way is rolled back
        }
        match moment {
            Moment::Begin => {}
            Moment::Statement => {
                if self.world.mishap(FAILURES) {
                    self.world.note(self.life.name(), "a statement fails");
                    return Err(gone());
                }
            }
            Moment::Commit => {
                let commit = self.world.next_commit();
                self.world.note(self.life.name(), format_args!("commit {commit}"));
                self.dies(commit, Side::Before)?;
            }
            Moment::Committed => {
                self.watch.look(&self.world);
                self.dies(self.world.commits(), Side::After)?;
                if self.world.mishap(UNKNOWN) {
                    self.world.note(self.life.name(), "the outcome of the commit stays unknown");
                    return Err(gone());
                }
            }
        }
        Ok(())
    }
}
