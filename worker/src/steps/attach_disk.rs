//! Attaches an empty disk.
//!
//! May be repeated: an appliance has one extra disk at most, and drivers leave one that is there alone.

use sprout_proto::task::{AttachDiskStep, StepOutput};

use super::{StepContext, invalid, look::observation, named, observed};
use crate::driver::Result;

pub(super) async fn run(ctx: &StepContext, step: &AttachDiskStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    if step.size_mib == 0 {
        return Err(invalid("the step names no size of the disk; this is a mistake of the server, report it"));
    }
    let instance = subject.expect(ctx).await?;
    ctx.status(None, format!("attaching a disk of {} MiB", step.size_mib));
    ctx.change().await?.attach_disk(&instance.name, step.size_mib).await?;
    ctx.info(format!("{} has a disk of {} MiB", instance.name, step.size_mib));
    Ok(observed(observation(&instance)))
}
