//! Freezes, keeping the memory, and sees it frozen.
//!
//! May be repeated: one that is frozen is left alone.

use sprout_proto::task::{StepOutput, SuspendStep};

use super::{StepContext, look::observation, named, observed, power::settled};
use crate::driver::{DriverError, PowerState, Reason, Result};

pub(super) async fn run(ctx: &StepContext, step: &SuspendStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let instance = subject.expect(ctx).await?;
    if instance.power == PowerState::Suspended {
        return Ok(observed(observation(&instance)));
    }
    ctx.status(None, "suspending");
    ctx.change().await?.suspend(&instance.name).await?;
    ctx.info(format!("suspended {}", instance.name));
    let not = || {
        let message =
            format!("the provider accepted to suspend {} but shows otherwise; look at it there", instance.name);
        DriverError::new(Reason::ProviderError, message)
    };
    let instance = settled(ctx, subject, PowerState::Suspended, not).await?;
    Ok(observed(observation(&instance)))
}
