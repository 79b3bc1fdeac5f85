//! `sproutctl pool …`, and how it waits for a pool.

pub(crate) mod clone;
pub(crate) mod describe;
pub(crate) mod events;
pub(crate) mod extend;
pub(crate) mod find;
pub(crate) mod get;
pub(crate) mod kill;
pub(crate) mod kill_all;
pub(crate) mod list;
pub(crate) mod merge;
pub(crate) mod request;
pub(crate) mod transfer;
pub(crate) mod watch;
pub(crate) mod why;

use std::time::Duration;

use sprout_client::{
    Connection, Watched,
    pool::{self, Goal, PoolError},
    proto::pool::{Pool, WatchPoolResponse},
};

use crate::{
    commands::wait::Bound,
    context::Context,
    failure::Failure,
    output::{pool::PoolView, progress::Progress},
};

/// What a command waits for.
struct Wait {
    id: u64,
    goal: Goal,
    timeout: Option<Duration>,
    /// What to do when waiting was given up.
    hint: String,
}

impl Wait {
    /// Until all appliances are ready, for as long as that.
    fn ready(id: u64, timeout: Option<Duration>) -> Self {
        Self {
            id,
            goal: Goal::Ready,
            timeout,
            hint: format!(
                "the pool goes on: watch it with `sproutctl pool watch {id}`, or end it with `sproutctl pool kill {id}`"
            ),
        }
    }
}

/// Waits, and shows progress, until the pool is what it is to become. It goes on whatever becomes of this.
async fn wait(context: &Context<'_>, connection: &Connection, wait: Wait) -> Result<PoolView, Failure> {
    let mut progress = Progress::new(context.out, true);
    let Wait { id, goal, timeout, hint } = wait;
    let bound = Bound { timeout, late: format!("pool {id} is not {goal} yet"), hint };
    bound
        .on(async {
            let waited = pool::wait(connection, id, goal, |watched| show(&mut progress, watched)).await;
            waited.map(PoolView::from).map_err(missed)
        })
        .await
}

/// Shows what a watch tells.
pub(super) fn show(progress: &mut Progress<'_>, watched: &Watched<WatchPoolResponse>) {
    match watched {
        Watched::Message(message) => {
            if let Some(pool) = message.pool.clone() {
                progress.show(&PoolView::from(pool), &message.message);
            }
        }
        Watched::Lost(error) => progress.note(&format!("connection lost ({error}); reconnecting …")),
        Watched::Back => progress.note("connected again"),
    }
}

/// What to say of a pool that came out badly.
pub(super) fn missed(error: PoolError) -> Failure {
    match error {
        PoolError::Client(error) => error.into(),
        PoolError::Missed { ref pool, .. } => Failure::Outcome {
            message: error.to_string(),
            hint: format!("`sproutctl pool get {}` shows more; `sproutctl appliance logs NAME` the details", pool.id),
        },
    }
}

/// The pool of an answer.
fn pool_of(pool: Option<Pool>) -> Result<PoolView, Failure> {
    pool.map(PoolView::from).ok_or(Failure::Incomplete("pool"))
}
