//! Whose fault it is that a deployment failed for good: the provider's, the template's, possibly either's, or nobody's.

use crate::workflow::{StepErrorReason, StepKind};

/// Whose fault a failure may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blame {
    /// It counts against the provider: others would fail there, too.
    pub provider: bool,
    /// It counts against the template: its appliances would fail on any provider.
    pub template: bool,
}

/// Whose fault it is that this step failed for good.
///
/// No capacity counts against the provider: the step was tried again before, and what is placed there meanwhile would only wait to fail. An
/// appliance without an address counts against both: the network may be down, or the image may not boot; what the other one does tells which, since
/// one success clears either. Names that are taken and what a driver cannot do say nothing about others.
pub fn blame(step: StepKind, reason: StepErrorReason) -> Blame {
    use StepErrorReason as R;
    let (provider, template) = match (reason, step) {
        // What answers by SSH is inside, and so is what it does.
        (_, StepKind::WaitSsh | StepKind::Update) if reason != R::Cancelled => (false, true),
        (R::Deadline, StepKind::WaitAddress) => (true, true),
        (R::Deadline, StepKind::WaitReady)
        | (R::TemplateNotFound | R::ApplianceBroken | R::ApplianceNotFound | R::Invalid, _) => (false, true),
        (R::Unreachable | R::AccessDenied | R::ProviderError | R::NoCapacity | R::Deadline, _) => (true, false),
        (R::NameTaken | R::Unsupported | R::Cancelled, _) => (false, false),
    };
    Blame { provider, template }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::WorkflowKind;

    #[test]
    fn what_is_not_ready_in_time_is_the_templates_fault_and_what_does_not_answer_the_providers() {
        use StepErrorReason as R;
        for (step, reason, provider, template) in [
            (StepKind::Clone, R::Unreachable, true, false),
            (StepKind::Clone, R::Deadline, true, false),
            (StepKind::Clone, R::NoCapacity, true, false),
            (StepKind::Clone, R::TemplateNotFound, false, true),
            (StepKind::WaitAddress, R::Deadline, true, true),
            (StepKind::WaitReady, R::Deadline, false, true),
            (StepKind::Start, R::ApplianceBroken, false, true),
            (StepKind::Clone, R::NameTaken, false, false),
        ] {
            assert_eq!(blame(step, reason), Blame { provider, template }, "{step} {reason:?}");
        }
    }

    #[test]
    fn nobody_is_to_blame_for_what_was_stopped() {
        for step in WorkflowKind::Deploy.steps() {
            assert_eq!(blame(*step, StepErrorReason::Cancelled), Blame { provider: false, template: false });
        }
    }
}
