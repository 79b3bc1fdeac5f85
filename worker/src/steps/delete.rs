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
    let seen = subject.look(ctx).await?;
    let (there, name) = match &seen {
        Seen::Ours(instance) => (true, instance.name.as_str()),
        Seen::Absent => (false, subject.name),
        Seen::Foreign(taken) => {
            ctx.warn(format!("nothing to delete: {taken}"));
            return Ok(done());
        }
    };
    ctx.status(None, "deleting");
    match ctx.change().await?.delete(name, subject.tags).await {
        Ok(()) if there => ctx.info(format!("deleted {name}")),
        Ok(()) => {}
        // Taken by another between our look and the driver's.
        Err(taken) if taken.reason == Reason::NameTaken => ctx.warn(format!("nothing to delete: {taken}")),
        Err(error) => return Err(error),
    }
    Ok(done())
}
