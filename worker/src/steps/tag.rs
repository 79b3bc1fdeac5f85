//! Writes our marks and proves that they can be read back.
//!
//! May be repeated: marks that are there already are not written again, and writing the same marks twice changes nothing.
//! Something with another's marks, or none, is not touched: whatever we clone is marked from its first moment.

use sprout_proto::task::{StepOutput, TagStep};

use super::{StepContext, look::observation, named, observed};
use crate::driver::{DriverError, Reason, Result};

pub(super) async fn run(ctx: &StepContext, step: &TagStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let mut instance = subject.expect(ctx).await?;
    // Without retagging, marks stay as the clone got them, with the epoch of that try.
    if instance.tags.as_ref() != Some(subject.tags) && ctx.can_retag() {
        ctx.status(None, "writing marks");
        ctx.change().await?.tag(&instance.name, subject.tags).await?;
        instance = subject.expect(ctx).await?;
        if instance.tags.as_ref() != Some(subject.tags) {
            let message = format!("the provider accepted marks for {} but shows others", subject.name);
            return Err(DriverError::new(Reason::ProviderError, message));
        }
    }
    Ok(observed(observation(&instance)))
}
