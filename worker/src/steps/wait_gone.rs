//! Waits until the appliance is proven absent.
//!
//! May be repeated: it only looks, and deletes again what should have been gone by now: a late clone at once, and anything that
//! the provider took in for deletion and still has after a while. Deleting can be done any number of times.

use sprout_proto::task::{StepOutput, WaitGoneStep};
use tokio::time::{Duration, Instant};

use super::{
    StepContext, done,
    look::{Seen, Subject},
    named,
    poll::{self, Patience, Pauses},
};
use crate::driver::{Reason, Result};

/// How long absence must be seen without a break when a clone may still be under way: longer than the calls of an abandoned
/// clone that a provider has already taken in need to show (an engine's create 0.3 s, a linked clone with its definition
/// 0.1 s, both idle), with room for a loaded provider.
const SETTLE: Duration = Duration::from_secs(10);

/// A provider that accepted a deletion and still has the appliance after this long is asked again.
const DELETE_AGAIN: Duration = Duration::from_secs(30);

pub(super) async fn run(ctx: &StepContext, step: &WaitGoneStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let (mut pauses, mut patience) = (Pauses::up_to(poll::LOOKS), Patience::default());
    let mut absent_since = None;
    let mut deleted_at = Instant::now();
    loop {
        match patience.forgive(ctx, subject.look(ctx).await)? {
            Some(Seen::Absent | Seen::Foreign(_)) if !step.clone_unconfirmed => return Ok(done()),
            Some(Seen::Absent | Seen::Foreign(_)) => {
                let since = *absent_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= SETTLE {
                    // The late clone may have ended as parts that are not yet an appliance.
                    if patience.forgive(ctx, delete(ctx, subject, subject.name).await)?.is_some() {
                        return Ok(done());
                    }
                    absent_since = None;
                }
                ctx.status(None, "absent; making sure that no late clone turns up");
            }
            Some(Seen::Ours(there)) => {
                absent_since = None;
                if step.clone_unconfirmed || deleted_at.elapsed() >= DELETE_AGAIN {
                    ctx.info(format!("{} is there; deleting it", there.name));
                    deleted_at = Instant::now();
                    patience.forgive(ctx, remove(ctx, subject, &there.name).await)?;
                }
                ctx.status(None, "waiting until it is gone");
            }
            // Unknown is not absent.
            None => absent_since = None,
        }
        pauses.wait().await;
    }
}

async fn remove(ctx: &StepContext, subject: Subject<'_>, name: &str) -> Result<()> {
    ctx.change().await?.stop(name).await?;
    delete(ctx, subject, name).await
}

/// Deletes, unless something of another is there.
async fn delete(ctx: &StepContext, subject: Subject<'_>, name: &str) -> Result<()> {
    match ctx.change().await?.delete(name, subject.tags).await {
        Err(taken) if taken.reason == Reason::NameTaken => Ok(()),
        result => result,
    }
}
