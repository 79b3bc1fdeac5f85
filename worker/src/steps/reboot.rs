//! Restarts the guest, and sees it on.
//!
//! May be repeated: nothing shows whether a restart was done, so it is restarted once more, after which it is as it was to be.

use sprout_proto::task::{RebootStep, StepOutput};

use super::{
    StepContext,
    look::{broken, observation},
    named, observed,
    power::settled,
};
use crate::driver::{PowerState, Result};

pub(super) async fn run(ctx: &StepContext, step: &RebootStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let instance = subject.expect(ctx).await?;
    ctx.status(None, "restarting");
    ctx.change().await?.reboot(&instance.name).await?;
    ctx.info(format!("restarted {}", instance.name));
    let ended = || broken(&instance.name, "was restarted but is not running");
    let instance = settled(ctx, subject, PowerState::On, ended).await?;
    Ok(observed(observation(&instance)))
}
