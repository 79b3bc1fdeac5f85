//! Powers on and sees it on.
//!
//! May be repeated: an appliance that is on is left alone, and starting one that is being started changes nothing.

use sprout_proto::task::{StartStep, StepOutput};
use tokio::time::{Duration, Instant};

use super::{
    StepContext,
    look::{Seen, broken, observation},
    named, observed,
    poll::{self, Patience, Pauses},
};
use crate::driver::{DriverError, PowerState, Result};

/// A provider may show the old state for this long after it accepted the start; then the appliance has ended again.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) async fn run(ctx: &StepContext, step: &StartStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let instance = subject.expect(ctx).await?;
    if instance.power == PowerState::On {
        return Ok(observed(observation(&instance)));
    }
    ctx.status(None, "starting");
    ctx.change().await?.start(subject.name).await?;
    ctx.info(format!("started {}", subject.name));
    let started = Instant::now();
    let (mut pauses, mut patience) = (Pauses::up_to(poll::LOOKS), Patience::default());
    loop {
        match patience.forgive(ctx, subject.look(ctx).await)? {
            Some(Seen::Ours(instance)) => match instance.power {
                PowerState::On => return Ok(observed(observation(&instance))),
                PowerState::Off | PowerState::Suspended if started.elapsed() >= SETTLE => {
                    return Err(broken(subject.name, "was started but is not running"));
                }
                power => ctx.status(None, format!("waiting until it is on ({})", super::look::power_name(power))),
            },
            Some(Seen::Foreign(taken)) => return Err(taken),
            Some(Seen::Absent) => return Err(DriverError::not_found(subject.name)),
            None => {}
        }
        pauses.wait().await;
    }
}
