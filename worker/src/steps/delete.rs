//! Deletes the appliance with everything that belongs to it.
//!
//! May be repeated: deleting what is absent is done. The driver is asked even when nothing is listed, because an interrupted
//! clone can leave parts that are not yet an appliance. Something of another under our name is not touched, and means that
//! ours is absent. That all is gone is for `wait_gone` to prove: providers delete in their own time.

use sprout_proto::task::{DeleteStep, StepOutput};

use super::{StepContext, done, look::Seen, named};
use crate::driver::{Reason, Result};

pub(super) async fn run(ctx: &StepContext, step: &DeleteStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let there = match subject.look(ctx).await? {
        Seen::Ours(_) => true,
        Seen::Absent => false,
        Seen::Foreign(taken) => {
            ctx.warn(format!("nothing to delete: {taken}"));
            return Ok(done());
        }
    };
    ctx.status(None, "deleting");
    match ctx.change().await?.delete(subject.name, subject.tags).await {
        Ok(()) if there => ctx.info(format!("deleted {}", subject.name)),
        Ok(()) => {}
        // Taken by another between our look and the driver's.
        Err(taken) if taken.reason == Reason::NameTaken => ctx.warn(format!("nothing to delete: {taken}")),
        Err(error) => return Err(error),
    }
    Ok(done())
}
