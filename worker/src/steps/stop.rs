//! Powers off at once.
//!
//! May be repeated: one that is off or absent is left alone. Something of another under our name means that ours is absent.

use sprout_proto::task::{StepOutput, StopStep};

use super::{StepContext, done, look::Seen, named};
use crate::driver::{PowerState, Result};

pub(super) async fn run(ctx: &StepContext, step: &StopStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    match subject.look(ctx).await? {
        Seen::Ours(instance) if instance.power == PowerState::Off => {}
        Seen::Ours(_) => {
            ctx.status(None, "stopping");
            ctx.change().await?.stop(subject.name).await?;
            ctx.info(format!("stopped {}", subject.name));
        }
        Seen::Foreign(taken) => ctx.warn(format!("nothing to stop: {taken}")),
        Seen::Absent => {}
    }
    Ok(done())
}
