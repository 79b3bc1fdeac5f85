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
    Connection, Watch, Watched,
    proto::pool::{Pool, PoolState, WatchPoolResponse},
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
    /// What the pool should become: "ready", "gone".
    goal: &'static str,
    /// Whether waiting is over, and whether well.
    verdict: fn(PoolState) -> Option<bool>,
    timeout: Option<Duration>,
    /// What to do when waiting was given up.
    hint: String,
}

/// Waits, and shows progress, until the verdict is there. The pool goes on whatever becomes of this.
async fn wait(context: &Context<'_>, connection: &Connection, wait: Wait) -> Result<PoolView, Failure> {
    let mut watch = Watch::pool(connection, wait.id);
    let mut progress = Progress::new(context.out, true);
    let bound = Bound {
        timeout: wait.timeout,
        late: format!("pool {} is not {} yet", wait.id, wait.goal),
        hint: wait.hint.clone(),
    };
    bound.on(follow(&mut watch, &mut progress, &wait)).await
}

async fn follow(
    watch: &mut Watch<WatchPoolResponse>,
    progress: &mut Progress<'_>,
    wait: &Wait,
) -> Result<PoolView, Failure> {
    while let Some(watched) = watch.next().await {
        match watched? {
            Watched::Message(message) => {
                let pool = message.pool.ok_or(Failure::Incomplete("pool"))?;
                let verdict = (wait.verdict)(pool.state());
                let pool = PoolView::from(pool);
                progress.show(&pool, &message.message);
                match verdict {
                    None => {}
                    Some(true) => return Ok(pool),
                    Some(false) => return Err(missed(&pool, wait)),
                }
            }
            Watched::Lost(error) => progress.note(&format!("connection lost ({error}); reconnecting …")),
            Watched::Back => progress.note("connected again"),
        }
    }
    Err(Failure::Outcome {
        message: format!("pool {} ended before it was {}", wait.id, wait.goal),
        hint: String::new(),
    })
}

fn missed(pool: &PoolView, wait: &Wait) -> Failure {
    let separator = if pool.status.is_empty() { "" } else { ": " };
    Failure::Outcome {
        message: format!("pool {} is {}, not {}{separator}{}", pool.id, pool.state, wait.goal, pool.status),
        hint: format!("`sproutctl pool get {}` shows more; `sproutctl appliance logs NAME` the details", pool.id),
    }
}

/// The pool of an answer.
fn pool_of(pool: Option<Pool>) -> Result<PoolView, Failure> {
    pool.map(PoolView::from).ok_or(Failure::Incomplete("pool"))
}
