//! Seeing that a power state that was asked for has come.

use tokio::time::{Duration, Instant};

use super::{
    StepContext,
    look::{Seen, Subject, power_name},
    poll::{self, Patience, Pauses},
};
use crate::driver::{DriverError, Instance, PowerState, Result};

/// A provider may show the old state for this long after it accepted a change; then the change did not last.
const SETTLE: Duration = Duration::from_secs(3);

/// Waits until the appliance, which was just asked for it, has this power. `else_fails` is the error where it has another one instead.
pub(super) async fn settled(
    ctx: &StepContext,
    subject: Subject<'_>,
    wanted: PowerState,
    else_fails: impl FnOnce() -> DriverError,
) -> Result<Instance> {
    let asked = Instant::now();
    let (mut pauses, mut patience) = (Pauses::up_to(poll::LOOKS), Patience::default());
    loop {
        match patience.forgive(ctx, subject.look(ctx).await)? {
            Some(Seen::Ours(instance)) if instance.power == wanted => return Ok(instance),
            Some(Seen::Ours(instance)) => {
                let moves = matches!(instance.power, PowerState::Changing | PowerState::Unspecified);
                if !moves && asked.elapsed() >= SETTLE {
                    return Err(else_fails());
                }
                let (wanted, is) = (power_name(wanted), power_name(instance.power));
                ctx.status(None, format!("waiting until it is {wanted} ({is})"));
            }
            Some(Seen::Foreign(taken)) => return Err(taken),
            Some(Seen::Absent) => return Err(DriverError::not_found(subject.name)),
            None => {}
        }
        pauses.wait().await;
    }
}
