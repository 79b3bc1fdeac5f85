//! Waits until the provider lists the appliance. May be repeated: it only looks.

use sprout_proto::task::{StepOutput, WaitPresentStep};

use super::{
    StepContext,
    look::{Seen, observation},
    named, observed,
    poll::{self, Patience, Pauses},
};
use crate::driver::Result;

pub(super) async fn run(ctx: &StepContext, step: &WaitPresentStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let (mut pauses, mut patience) = (Pauses::up_to(poll::LOOKS), Patience::default());
    loop {
        match patience.forgive(ctx, subject.look(ctx).await)? {
            Some(Seen::Ours(instance)) => return Ok(observed(observation(&instance))),
            Some(Seen::Foreign(taken)) => return Err(taken),
            Some(Seen::Absent) => ctx.status(None, "waiting until the provider lists the appliance"),
            None => {}
        }
        pauses.wait().await;
    }
}
