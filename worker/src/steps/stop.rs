//! Powers off at once.
//!
//! May be repeated: one that is off is left alone. What is to be deleted next may be absent as well, and something of another under its name means that it
//! is; nor is it looked at again then.

use sprout_proto::task::{StepOutput, StopStep};

use super::{
    StepContext, done,
    look::{Seen, Subject, observation},
    named_or_unmarked, observed,
    power::settled,
};
use crate::driver::{DriverError, PowerState, Reason, Result};

pub(super) async fn run(ctx: &StepContext, step: &StopStep) -> Result<StepOutput> {
    let subject = named_or_unmarked(step.appliance.as_ref())?;
    if step.prove {
        return prove(ctx, subject).await;
    }
    match subject.look(ctx).await? {
        Seen::Ours(instance) if instance.power == PowerState::Off => {}
        Seen::Ours(instance) => stop(ctx, &instance.name).await?,
        Seen::Foreign(taken) => ctx.warn(format!("nothing to stop: {taken}")),
        Seen::Absent => {}
    }
    Ok(done())
}

async fn prove(ctx: &StepContext, subject: Subject<'_>) -> Result<StepOutput> {
    let mut instance = subject.expect(ctx).await?;
    if instance.power != PowerState::Off {
        stop(ctx, &instance.name).await?;
        let not = || {
            let message =
                format!("the provider accepted to stop {} but shows otherwise; look at it there", subject.name);
            DriverError::new(Reason::ProviderError, message)
        };
        instance = settled(ctx, subject, PowerState::Off, not).await?;
    }
    Ok(observed(observation(&instance)))
}

async fn stop(ctx: &StepContext, name: &str) -> Result<()> {
    ctx.status(None, "stopping");
    ctx.change().await?.stop(name).await?;
    ctx.info(format!("stopped {name}"));
    Ok(())
}
