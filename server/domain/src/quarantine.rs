//! Quarantine of templates: one whose deployments fail one after the other is not used until a single one succeeds.
//!
//! ```text
//! ready ─too many failed one after the other→ quarantined ─a deployment succeeded, or staff release it→ ready
//! ```
//! While it is quarantined the newest failed appliance is kept for inspection, and now and then one deployment for nobody tries whether it has healed.
//! Only what fails by the template's fault counts ([`crate::blame`]), and of appliances with memory and CPUs as usual: a template is not to be
//! condemned for what somebody asked for.

use std::time::Duration;

use crate::{ApplianceId, Timestamp, circuit::back_off, lease, template::TemplateState};

/// Time until the first deployment that tries whether a template has healed; doubles with each.
pub const FIRST_WAIT: Duration = Duration::from_secs(10 * 60);
/// The longest time until the next.
pub const LONGEST_WAIT: Duration = Duration::from_secs(6 * 60 * 60);

/// What is counted of a template's deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Ready or quarantined; nothing is counted in other states.
    pub state: TemplateState,
    /// Deployments that failed one after the other.
    pub failures: u32,
    /// Deployments begun that try whether it has healed.
    pub tries: u32,
    /// Why it is quarantined; empty otherwise.
    pub reason: String,
    /// The failed appliance that is kept.
    pub specimen_id: Option<ApplianceId>,
    /// When it is tried next, while it is quarantined.
    pub next_try_at: Option<Timestamp>,
}

/// What can happen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialEvent<'a> {
    /// A deployment succeeded.
    Succeeded,
    /// A deployment failed by the template's fault.
    Failed {
        /// Why.
        why: &'a str,
        /// Its appliance.
        appliance: ApplianceId,
    },
    /// The time of the next try has come.
    Due,
    /// Staff release it.
    Released,
}

/// By which rules it moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialRules {
    /// The database's clock.
    pub now: Timestamp,
    /// So many failures one after the other quarantine it.
    pub tolerated: u32,
    /// Between 0 and 1: spreads tries.
    pub jitter: f64,
}

impl Trial {
    /// Ready, with nothing counted.
    pub fn ready() -> Self {
        let state = TemplateState::Ready;
        Self { state, failures: 0, tries: 0, reason: String::new(), specimen_id: None, next_try_at: None }
    }

    /// What is counted after `event`, or `None` if that changes nothing.
    pub fn after(&self, event: TrialEvent<'_>, rules: &TrialRules) -> Option<Self> {
        use TemplateState as S;
        use TrialEvent as E;
        let after = match (self.state, event) {
            (S::Ready | S::Quarantined, E::Succeeded | E::Released) => Self::ready(),
            (S::Ready, E::Failed { .. }) if self.failures + 1 < rules.tolerated => {
                Self { failures: self.failures + 1, ..self.clone() }
            }
            (S::Ready | S::Quarantined, E::Failed { why, appliance }) => {
                let failures = self.failures.saturating_add(1);
                Self {
                    state: S::Quarantined,
                    failures,
                    reason: format!("{failures} deployments failed one after the other, the last one: {why}"),
                    specimen_id: Some(appliance),
                    next_try_at: Some(self.next_try(rules)),
                    ..self.clone()
                }
            }
            (S::Quarantined, E::Due) if self.next_try_at.is_some_and(|at| at <= rules.now) => {
                let tried = Self { tries: self.tries.saturating_add(1), ..self.clone() };
                Self { next_try_at: Some(tried.next_try(rules)), ..tried }
            }
            (_, E::Due) | (S::Preparing | S::Retiring | S::Gone, _) => return None,
        };
        (after != *self).then_some(after)
    }

    fn next_try(&self, rules: &TrialRules) -> Timestamp {
        lease::end(rules.now, back_off(FIRST_WAIT, LONGEST_WAIT, self.tries, rules.jitter))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    fn rules(seconds: i64) -> TrialRules {
        TrialRules { now: at(seconds), tolerated: 3, jitter: 0.0 }
    }

    fn failed(id: i64) -> TrialEvent<'static> {
        TrialEvent::Failed { why: "no web page", appliance: ApplianceId(id) }
    }

    fn after(trial: &Trial, events: &[(TrialEvent<'_>, i64)]) -> Trial {
        let step =
            |trial: Trial, (event, at): &(TrialEvent<'_>, i64)| trial.after(*event, &rules(*at)).unwrap_or(trial);
        events.iter().fold(trial.clone(), step)
    }

    #[test]
    fn the_newest_failed_appliance_is_kept_once_it_is_quarantined() {
        let two = after(&Trial::ready(), &[(failed(1), 0), (failed(2), 0)]);
        assert_eq!((two.state, two.failures, two.specimen_id), (TemplateState::Ready, 2, None));
        let three = after(&two, &[(failed(3), 0)]);
        assert_eq!((three.state, three.specimen_id), (TemplateState::Quarantined, Some(ApplianceId(3))));
        assert_eq!(three.next_try_at, Some(at(600)));
        assert!(three.reason.contains("no web page"), "{}", three.reason);
        assert_eq!(after(&three, &[(failed(4), 1)]).specimen_id, Some(ApplianceId(4)));
    }

    #[test]
    fn tries_are_rarer_and_rarer_and_success_or_staff_end_it() {
        let mut trial = after(&Trial::ready(), &[(failed(1), 0), (failed(2), 0), (failed(3), 0)]);
        for minutes in [20, 40, 80, 160, 320, 360, 360] {
            let now = trial.next_try_at.unwrap().timestamp();
            assert_eq!(trial.after(TrialEvent::Due, &rules(now - 1)), None);
            trial = after(&trial, &[(TrialEvent::Due, now), (failed(4), now)]);
            assert_eq!(trial.next_try_at, Some(at(now + minutes * 60)));
        }
        for event in [TrialEvent::Succeeded, TrialEvent::Released] {
            assert_eq!(after(&trial, &[(event, 0)]), Trial::ready());
        }
        assert_eq!(Trial::ready().after(TrialEvent::Succeeded, &rules(0)), None);
    }

    proptest! {
        /// Whatever happens: a quarantined template has a reason, a specimen and a next try, a ready one none of them; others stay as they are.
        #[test]
        fn it_never_gets_stuck(events in proptest::collection::vec((0_u8..4, 0_i64..40_000), 0..60), jitter in 0.0..1.0_f64) {
            let (mut trial, mut now) = (Trial::ready(), 0);
            for (id, (kind, later)) in (1..).zip(events) {
                now += later;
                let rules = TrialRules { jitter, ..rules(now) };
                let event = match kind {
                    0 => TrialEvent::Succeeded,
                    1 => TrialEvent::Due,
                    2 => TrialEvent::Released,
                    _ => failed(id),
                };
                if let Some(next) = trial.after(event, &rules) {
                    prop_assert_ne!(&next, &trial);
                    trial = next;
                }
                let quarantined = trial.state == TemplateState::Quarantined;
                prop_assert_eq!(quarantined, trial.failures >= 3);
                prop_assert_eq!(quarantined, !trial.reason.is_empty());
                prop_assert_eq!(quarantined, trial.specimen_id.is_some());
                prop_assert_eq!(quarantined, trial.next_try_at.is_some());
                let gone = Trial { state: TemplateState::Gone, ..trial.clone() };
                prop_assert_eq!(gone.after(event, &rules), None);
            }
        }
    }
}
