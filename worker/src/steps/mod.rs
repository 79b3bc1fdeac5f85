//! The steps a worker can run, one file each. Every step looks first, acts if needed and looks again, so that running it a
//! second time, after it went through, failed or died at any point, does no harm; each file says why.

mod attach_disk;
mod check_provider;
#[path = "clone.rs"]
mod clone_step;
mod context;
mod delete;
mod delete_machines;
mod delete_template;
mod detach_disk;
mod list_machines;
mod look;
mod make_template;
#[cfg(test)]
mod operation_tests;
mod poll;
mod power;
mod reboot;
mod rename;
mod resume;
mod start;
mod stop;
mod suspend;
mod tag;
#[cfg(test)]
mod tests;
mod wait_address;
mod wait_gone;
mod wait_present;
mod wait_ready;
mod wait_ssh;
mod workshop;
#[cfg(test)]
mod workshop_tests;

use sprout_proto::task::{
    ApplianceRef, EmptyOutput, ObservedOutput, StepOutput, VerifyVersionOutput, Workshop, step_input::Step,
    step_output::Output,
};

pub(crate) use self::context::StepContext;
use crate::driver::{DriverError, Reason, Result};

/// What stopping a step in the middle costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Nothing: it only waits, and anyone can go on with it.
    Wait,
    /// A repetition of something short.
    Action,
    /// The knowledge whether something was created.
    Creation,
}

/// Runs a step to its end.
pub(crate) async fn run(ctx: &StepContext, step: &Step) -> Result<StepOutput> {
    match step {
        Step::Clone(step) => clone_step::run(ctx, step).await,
        Step::WaitPresent(step) => wait_present::run(ctx, step).await,
        Step::Tag(step) => tag::run(ctx, step).await,
        Step::Start(step) => start::run(ctx, step).await,
        Step::WaitAddress(step) => wait_address::run(ctx, step).await,
        Step::WaitReady(step) => wait_ready::run(ctx, step).await,
        Step::Stop(step) => stop::run(ctx, step).await,
        Step::Delete(step) => delete::run(ctx, step).await,
        Step::WaitGone(step) => wait_gone::run(ctx, step).await,
        Step::CheckProvider(_) => check_provider::run(ctx).await,
        Step::Ping(_) => Ok(done()),
        Step::Suspend(step) => suspend::run(ctx, step).await,
        Step::Resume(step) => resume::run(ctx, step).await,
        Step::Reboot(step) => reboot::run(ctx, step).await,
        Step::Rename(step) => rename::run(ctx, step).await,
        Step::AttachDisk(step) => attach_disk::run(ctx, step).await,
        Step::DetachDisk(step) => detach_disk::run(ctx, step).await,
        Step::DeleteTemplate(step) => delete_template::run(ctx, step).await,
        Step::ListMachines(step) => list_machines::run(ctx, step).await,
        Step::DeleteMachines(step) => delete_machines::run(ctx, step).await,
        // Boxed: each would make the future of every step as large as its own.
        Step::WaitSsh(step) => Box::pin(wait_ssh::run(ctx, step)).await,
        Step::VerifyVersion(step) => {
            let version = Box::pin(workshop::run(ctx, step.workshop.as_ref())).await?;
            Ok(StepOutput { output: Some(Output::VerifyVersion(VerifyVersionOutput { version })) })
        }
        Step::Configure(step) => Box::pin(workshop::run(ctx, step.workshop.as_ref())).await.map(|_| done()),
        Step::Seal(step) => Box::pin(workshop::run(ctx, step.workshop.as_ref())).await.map(|_| done()),
        Step::Update(step) => Box::pin(workshop::run(ctx, step.workshop.as_ref())).await.map(|_| done()),
        Step::MakeTemplate(step) => make_template::run(ctx, step).await,
    }
}

/// The output of a step that touches no provider and takes no time; `None` for all others.
pub(crate) fn at_once(step: &Step) -> Option<StepOutput> {
    matches!(step, Step::Ping(_)).then(done)
}

/// Name of a step, as in the proto.
pub(crate) fn name(step: &Step) -> &'static str {
    match step {
        Step::Clone(_) => "clone",
        Step::WaitPresent(_) => "wait_present",
        Step::Tag(_) => "tag",
        Step::Start(_) => "start",
        Step::WaitAddress(_) => "wait_address",
        Step::WaitReady(_) => "wait_ready",
        Step::Stop(_) => "stop",
        Step::Delete(_) => "delete",
        Step::WaitGone(_) => "wait_gone",
        Step::CheckProvider(_) => "check_provider",
        Step::Ping(_) => "ping",
        Step::Suspend(_) => "suspend",
        Step::Resume(_) => "resume",
        Step::Reboot(_) => "reboot",
        Step::Rename(_) => "rename",
        Step::AttachDisk(_) => "attach_disk",
        Step::DetachDisk(_) => "detach_disk",
        Step::DeleteTemplate(_) => "delete_template",
        Step::ListMachines(_) => "list_machines",
        Step::DeleteMachines(_) => "delete_machines",
        Step::WaitSsh(_) => "wait_ssh",
        Step::VerifyVersion(_) => "verify_version",
        Step::Configure(_) => "configure",
        Step::Seal(_) => "seal",
        Step::Update(_) => "update",
        Step::MakeTemplate(_) => "make_template",
    }
}

/// What stopping this step in the middle costs.
pub(crate) fn interrupt(step: &Step) -> Interrupt {
    match step {
        Step::Clone(_) | Step::MakeTemplate(_) => Interrupt::Creation,
        Step::WaitPresent(_) | Step::WaitAddress(_) | Step::WaitReady(_) | Step::WaitGone(_) | Step::WaitSsh(_) => {
            Interrupt::Wait
        }
        Step::Tag(_) | Step::Start(_) | Step::Stop(_) | Step::Delete(_) | Step::CheckProvider(_) | Step::Ping(_) => {
            Interrupt::Action
        }
        Step::Suspend(_)
        | Step::Resume(_)
        | Step::Reboot(_)
        | Step::Rename(_)
        | Step::AttachDisk(_)
        | Step::DetachDisk(_)
        | Step::DeleteTemplate(_)
        | Step::ListMachines(_)
        | Step::DeleteMachines(_)
        | Step::VerifyVersion(_)
        | Step::Configure(_)
        | Step::Seal(_)
        | Step::Update(_) => Interrupt::Action,
    }
}

/// Name of the appliance a step works on.
pub(crate) fn appliance(step: &Step) -> Option<&str> {
    let appliance = match step {
        Step::Clone(step) => step.appliance.as_ref(),
        Step::WaitPresent(step) => step.appliance.as_ref(),
        Step::Tag(step) => step.appliance.as_ref(),
        Step::Start(step) => step.appliance.as_ref(),
        Step::WaitAddress(step) => step.appliance.as_ref(),
        Step::WaitReady(step) => step.appliance.as_ref(),
        Step::Stop(step) => step.appliance.as_ref(),
        Step::Delete(step) => step.appliance.as_ref(),
        Step::WaitGone(step) => step.appliance.as_ref(),
        Step::Suspend(step) => step.appliance.as_ref(),
        Step::Resume(step) => step.appliance.as_ref(),
        Step::Reboot(step) => step.appliance.as_ref(),
        Step::Rename(step) => step.appliance.as_ref(),
        Step::AttachDisk(step) => step.appliance.as_ref(),
        Step::DetachDisk(step) => step.appliance.as_ref(),
        Step::WaitSsh(step) => step.appliance.as_ref(),
        Step::MakeTemplate(step) => step.appliance.as_ref(),
        Step::VerifyVersion(step) => inside(step.workshop.as_ref()),
        Step::Configure(step) => inside(step.workshop.as_ref()),
        Step::Seal(step) => inside(step.workshop.as_ref()),
        Step::Update(step) => inside(step.workshop.as_ref()),
        Step::CheckProvider(_)
        | Step::Ping(_)
        | Step::DeleteTemplate(_)
        | Step::ListMachines(_)
        | Step::DeleteMachines(_) => None,
    };
    appliance.map(|appliance| appliance.name.as_str())
}

/// The appliance that something is done inside of.
fn inside(workshop: Option<&Workshop>) -> Option<&ApplianceRef> {
    workshop.and_then(|workshop| workshop.appliance.as_ref())
}

/// A step's wish turned out wrong: it can never be done as it is.
fn invalid(message: impl Into<String>) -> DriverError {
    DriverError::new(Reason::Invalid, message)
}

/// The appliance a step names, which must have a name and marks.
fn named(appliance: Option<&ApplianceRef>) -> Result<look::Subject<'_>> {
    match appliance {
        Some(ApplianceRef { name, tags: Some(tags), new_name, unmarked: false })
            if !name.is_empty() && !tags.installation_id.is_empty() =>
        {
            Ok(look::Subject { name, new_name, tags, unmarked: false })
        }
        _ => Err(invalid("the step names no appliance with its marks; this is a mistake of the server, report it")),
    }
}

/// As [`named`], or a machine that is no appliance and carries no marks.
fn named_or_unmarked(machine: Option<&ApplianceRef>) -> Result<look::Subject<'_>> {
    match machine {
        Some(ApplianceRef { name, tags: None, new_name, unmarked: true })
            if !name.is_empty() && new_name.is_empty() =>
        {
            Ok(look::Subject::unmarked(name))
        }
        other => named(other),
    }
}

fn done() -> StepOutput {
    StepOutput { output: Some(Output::Empty(EmptyOutput {})) }
}

fn observed(observed: ObservedOutput) -> StepOutput {
    StepOutput { output: Some(Output::Observed(observed)) }
}
