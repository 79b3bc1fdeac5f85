//! Powers on and sees it on.
//!
//! May be repeated: an appliance that is on is left alone, and starting one that is being started changes nothing.

use sprout_proto::task::{StartStep, StepOutput};

use super::{
    StepContext,
    look::{broken, observation},
    named_or_unmarked, observed,
    power::settled,
};
use crate::driver::{PowerState, Result};

pub(super) async fn run(ctx: &StepContext, step: &StartStep) -> Result<StepOutput> {
    let subject = named_or_unmarked(step.appliance.as_ref())?;
    let instance = subject.expect(ctx).await?;
    if instance.power == PowerState::On {
        return Ok(observed(observation(&instance)));
    }
    ctx.status(None, "starting");
    ctx.change().await?.start(&instance.name).await?;
    ctx.info(format!("started {}", instance.name));
    let ended = || broken(&instance.name, "was started but is not running");
    let instance = settled(ctx, subject, PowerState::On, ended).await?;
    Ok(observed(observation(&instance)))
}
