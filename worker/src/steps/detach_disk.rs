//! Detaches the extra disk, and deletes it.
//!
//! May be repeated: where there is none, nothing is done.

use sprout_proto::task::{DetachDiskStep, StepOutput};

use super::{StepContext, look::observation, named, observed};
use crate::driver::Result;

pub(super) async fn run(ctx: &StepContext, step: &DetachDiskStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let instance = subject.expect(ctx).await?;
    ctx.status(None, "detaching the disk");
    ctx.change().await?.detach_disk(&instance.name).await?;
    ctx.info(format!("the disk of {} is gone", instance.name));
    Ok(observed(observation(&instance)))
}
