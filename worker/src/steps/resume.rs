//! Continues what is frozen, and sees it on.
//!
//! May be repeated: an appliance that is on is left alone.

use sprout_proto::task::{ResumeStep, StepOutput};

use super::{
    StepContext,
    look::{broken, observation},
    named, observed,
    power::settled,
};
use crate::driver::{PowerState, Result};

pub(super) async fn run(ctx: &StepContext, step: &ResumeStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let instance = subject.expect(ctx).await?;
    if instance.power == PowerState::On {
        return Ok(observed(observation(&instance)));
    }
    ctx.status(None, "resuming");
    ctx.change().await?.resume(&instance.name).await?;
    ctx.info(format!("resumed {}", instance.name));
    let ended = || broken(&instance.name, "was resumed but is not running");
    let instance = settled(ctx, subject, PowerState::On, ended).await?;
    Ok(observed(observation(&instance)))
}
