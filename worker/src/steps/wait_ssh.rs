//! Waits until an SSH server answers, and tells its host key. May be repeated: nobody signs in, and the key that was told first is the one that counts.

use sprout_proto::task::{StepOutput, WaitSshOutput, WaitSshStep, step_output::Output};
use tokio::time::{Duration, Instant};

use super::{
    StepContext,
    look::Pulse,
    named,
    poll::{self, Patience, Pauses},
};
use crate::{
    driver::Result,
    ssh::{self, Trouble},
};

/// Between two looks at the appliance.
const LOOK: Duration = Duration::from_secs(2);

pub(super) async fn run(ctx: &StepContext, step: &WaitSshStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let Some(endpoint) = &step.endpoint else { return Ok(told(String::new())) };
    let (mut pauses, mut patience, mut pulse) = (Pauses::up_to(poll::LOOKS), Patience::default(), Pulse::default());
    let mut looked = None::<Instant>;
    loop {
        match ssh::host_key(endpoint, &step.host_key).await {
            Ok(key) => {
                ctx.info(format!("the SSH server shows the host key {key}"));
                return Ok(told(key));
            }
            // It may not be up yet.
            Err(Trouble::NoConnection(message) | Trouble::Lost(message)) => ctx.status(None, message),
            Err(trouble) => return Err(trouble.into_error()),
        }
        if looked.is_none_or(|at| at.elapsed() >= LOOK) {
            looked = Some(Instant::now());
            if let Some(seen) = patience.forgive(ctx, subject.look(ctx).await)? {
                pulse.check(subject, &seen)?;
            }
        }
        pauses.wait().await;
    }
}

fn told(host_key: String) -> StepOutput {
    StepOutput { output: Some(Output::WaitSsh(WaitSshOutput { host_key })) }
}
