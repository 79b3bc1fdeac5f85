//! Clones a template.
//!
//! May be repeated: the name was decided and stored before the first try, so an earlier try that went through is found by its
//! name and known by its marks. Where a try's outcome is not clear, a look decides; where that look cannot decide either, the
//! try's error is reported, and the server knows that something may still turn up.

use sprout_proto::task::{CloneStep, StepOutput};

use tokio::time::{Duration, Instant};

use super::{
    StepContext, done, invalid,
    look::{Seen, Subject},
    named,
    poll::{LOOKS, Pauses},
};
use crate::driver::{CloneSpec, Reason, Result};

/// What has a name on a provider is shown there within this time.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn run(ctx: &StepContext, step: &CloneStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    if step.template.is_empty() {
        return Err(invalid("the step names no template; this is a mistake of the server, report it"));
    }
    match subject.look(ctx).await? {
        Seen::Ours(_) => {
            ctx.info(format!("{} is there already, from an earlier try", subject.name));
            return Ok(done());
        }
        Seen::Foreign(taken) => return Err(taken),
        Seen::Absent => {}
    }
    ctx.status(None, format!("cloning {}", step.template));
    let spec = CloneSpec {
        template: step.template.clone(),
        name: subject.name.to_owned(),
        tags: subject.tags.clone(),
        memory_mib: step.memory_mib,
        cpus: step.cpus,
        endpoints: step.endpoints.clone(),
    };
    match ctx.change().await?.create(&spec).await {
        Ok(()) => {
            ctx.info(format!("cloned {} as {}", step.template, subject.name));
            Ok(done())
        }
        Err(error) if matches!(error.reason, Reason::Unreachable | Reason::NameTaken | Reason::ProviderError) => {
            match look_for(subject, ctx, error.reason == Reason::NameTaken).await {
                Ok(Seen::Ours(_)) => {
                    ctx.info(format!("cloning ended with \"{error}\", but {} is there", subject.name));
                    Ok(done())
                }
                Ok(Seen::Foreign(taken)) => Err(taken),
                Ok(Seen::Absent) | Err(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Looks what is there. Where the name is taken something is, or is about to be shown: so it is looked for again, for a while.
async fn look_for(subject: Subject<'_>, ctx: &StepContext, taken: bool) -> Result<Seen> {
    let begun = Instant::now();
    let mut pauses = Pauses::up_to(LOOKS);
    loop {
        let seen = subject.look(ctx).await;
        let undecided =
            matches!(&seen, Ok(Seen::Absent)) || matches!(&seen, Err(error) if error.reason == Reason::Unreachable);
        if !(taken && undecided) || begun.elapsed() >= SHOWN_WITHIN {
            return seen;
        }
        pauses.wait().await;
    }
}
