//! Gives the appliance its new name, which was reserved before.
//!
//! May be repeated: the new name is looked for as well, and one that has it already is left alone. Where a try's outcome is not clear, a look decides.

use sprout_proto::task::{RenameStep, StepOutput};

use super::{StepContext, invalid, look::observation, named, observed};
use crate::driver::{DriverError, Instance, Reason, Result};

pub(super) async fn run(ctx: &StepContext, step: &RenameStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    if subject.new_name.is_empty() {
        return Err(invalid("the step names no new name; this is a mistake of the server, report it"));
    }
    let has_it = |instance: &Instance| instance.name == subject.new_name;
    let instance = subject.expect(ctx).await?;
    if has_it(&instance) {
        return Ok(observed(observation(&instance)));
    }
    ctx.status(None, format!("renaming it to {}", subject.new_name));
    let renamed = ctx.change().await?.rename(&instance.name, subject.new_name).await;
    let seen = subject.expect(ctx).await;
    match (renamed, seen) {
        (_, Ok(instance)) if has_it(&instance) => {
            ctx.info(format!("renamed {} to {}", subject.name, subject.new_name));
            Ok(observed(observation(&instance)))
        }
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
        (Ok(()), Ok(_)) => {
            let message =
                format!("the provider accepted a new name for {} but shows the old one; try again", subject.name);
            Err(DriverError::new(Reason::ProviderError, message))
        }
    }
}
