//! Deletes what was left over, some at a time, and proves it gone.
//!
//! May be repeated: each is looked at before it is deleted, and the driver looks once more. What carries other marks than it should is not touched:
//! the leftover itself is gone then, because names are unique on a provider. One that cannot be deleted keeps no other from it, and is told.

use futures::{FutureExt as _, StreamExt as _, stream};
use sprout_proto::task::{
    DeleteMachinesOutput, DeleteMachinesStep, LeftoverOutcome, LeftoverRef, StepOutput, step_output::Output,
};
use tokio::time::{Duration, Instant};

use super::{
    StepContext, invalid,
    poll::{self, Pauses},
};
use crate::driver::{Instance, Reason, Result};

/// Deleted at a time.
const ABREAST: usize = 8;
/// A provider has this long to show that one is gone; else it is looked at again by the next such step.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(ctx: &StepContext, step: &DeleteMachinesStep) -> Result<StepOutput> {
    let unnamed = |machine: &LeftoverRef| {
        machine.name.is_empty() || machine.tags.as_ref().is_some_and(|tags| tags.installation_id.is_empty())
    };
    if step.machines.iter().any(unnamed) {
        return Err(invalid("the step names no machine with its marks; this is a mistake of the server, report it"));
    }
    let deletions: Vec<_> = step.machines.iter().map(|machine| one(ctx, machine).boxed()).collect();
    let machines = stream::iter(deletions).buffer_unordered(ABREAST).collect::<Vec<_>>().await;
    let machines = machines.into_iter().collect::<Result<_>>()?;
    Ok(StepOutput { output: Some(Output::DeleteMachines(DeleteMachinesOutput { machines })) })
}

/// What became of one. An error only where the task is not this worker's any more.
async fn one(ctx: &StepContext, machine: &LeftoverRef) -> Result<LeftoverOutcome> {
    let name = machine.name.clone();
    match delete(ctx, machine).await {
        Ok(true) => Ok(LeftoverOutcome { name, gone: true, error: String::new() }),
        Ok(false) => {
            let error = format!("it was deleted, and is still there after {} s", PATIENCE.as_secs());
            Ok(LeftoverOutcome { name, gone: false, error })
        }
        Err(error) if error.reason == Reason::Cancelled => Err(error),
        Err(error) => {
            ctx.warn(format!("{name} could not be deleted: {error}"));
            Ok(LeftoverOutcome { name, gone: false, error: error.message })
        }
    }
}

/// Whether it is gone.
async fn delete(ctx: &StepContext, machine: &LeftoverRef) -> Result<bool> {
    let name = machine.name.as_str();
    if !is_there(ctx, machine).await? {
        return Ok(true);
    }
    ctx.status(None, format!("deleting {name}"));
    let driver = ctx.change().await?;
    let deleted = match &machine.tags {
        Some(tags) => driver.delete(name, tags).await,
        None => driver.delete_unmarked(name).await,
    };
    match deleted {
        Ok(()) => ctx.info(format!("deleted {name}, which was left over")),
        // Taken by another between our look and the driver's.
        Err(taken) if taken.reason == Reason::NameTaken => return Ok(true),
        Err(error) => return Err(error),
    }
    let (mut pauses, began) = (Pauses::up_to(poll::LOOKS), Instant::now());
    while is_there(ctx, machine).await? {
        if began.elapsed() >= PATIENCE {
            return Ok(false);
        }
        pauses.wait().await;
    }
    Ok(true)
}

async fn is_there(ctx: &StepContext, machine: &LeftoverRef) -> Result<bool> {
    Ok(ctx.find(&machine.name).await?.is_some_and(|instance| is_it(&instance, machine)))
}

/// It is what is to go, and not something else of that name.
fn is_it(instance: &Instance, machine: &LeftoverRef) -> bool {
    match (&instance.tags, &machine.tags) {
        (Some(theirs), Some(tags)) => {
            (&theirs.installation_id, theirs.appliance_id) == (&tags.installation_id, tags.appliance_id)
        }
        (theirs, tags) => theirs.is_none() && tags.is_none(),
    }
}
