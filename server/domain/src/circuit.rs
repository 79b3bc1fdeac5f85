//! The circuit of a provider: whether deployments go there.
//!
//! ```text
//! closed ─too many failed one after the other→ open ─due→ half open (a check is awaited) ─it passed→ half open (a single deployment tries)
//!    open, half open ─a deployment succeeded, or staff close it→ closed
//!    half open ─the check or the deployment failed→ open, for twice as long
//! ```
//! Only what fails by the provider's fault counts ([`crate::blame`]). Deployments that were under way when it opened go on; their success closes it.

use std::time::Duration;

use crate::{
    Timestamp, lease,
    provider::{Circuit, CircuitState},
};

/// First time for which a circuit stays open.
pub const FIRST_WAIT: Duration = Duration::from_secs(60);
/// The longest time for which it does.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);
/// A check that has not ended after this time is asked for again.
pub const CHECK_WAIT: Duration = Duration::from_secs(2 * 60);

/// What can happen to a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitEvent<'a> {
    /// A deployment succeeded.
    Succeeded,
    /// A deployment failed by the provider's fault, and why.
    Failed(&'a str),
    /// The time of the next try has come.
    Due,
    /// A check of the provider succeeded.
    CheckPassed,
    /// A check of the provider failed, and why.
    CheckFailed(&'a str),
    /// Staff closed it.
    ClosedByHand,
}

/// By which rules a circuit moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CircuitRules {
    /// The database's clock.
    pub now: Timestamp,
    /// So many failures one after the other open it.
    pub tolerated: u32,
    /// Between 0 and 1: spreads the tries of providers that failed together.
    pub jitter: f64,
}

impl Circuit {
    /// Closed, with nothing counted.
    pub fn closed() -> Self {
        Self { state: CircuitState::Closed, failures: 0, openings: 0, reason: String::new(), next_try_at: None }
    }

    /// The circuit after `event`, or `None` if that changes nothing.
    pub fn after(&self, event: CircuitEvent<'_>, rules: &CircuitRules) -> Option<Self> {
        use CircuitEvent as E;
        use CircuitState as S;
        let after = match (self.state, event) {
            (_, E::Succeeded | E::ClosedByHand) => Self::closed(),
            (S::Closed, E::Failed(why)) if self.failures + 1 >= rules.tolerated => {
                let failures = self.failures + 1;
                let reason = format!("{failures} deployments failed one after the other, the last one: {why}");
                Self { failures, ..self.opened(reason, rules) }
            }
            (S::HalfOpen, E::Failed(why)) => {
                let reason = format!("the deployment that tried whether it works again failed: {why}");
                Self { failures: self.failures.saturating_add(1), ..self.opened(reason, rules) }
            }
            (S::Closed | S::Open, E::Failed(_)) => Self { failures: self.failures.saturating_add(1), ..self.clone() },
            (S::HalfOpen, E::CheckFailed(why)) => {
                self.opened(format!("the check whether it works again failed: {why}"), rules)
            }
            (S::Open | S::HalfOpen, E::Due) if self.next_try_at.is_some_and(|at| at <= rules.now) => {
                let next_try_at = Some(lease::end(rules.now, CHECK_WAIT));
                Self { state: S::HalfOpen, next_try_at, ..self.clone() }
            }
            (S::HalfOpen, E::CheckPassed) => Self { next_try_at: None, ..self.clone() },
            (_, E::Due | E::CheckPassed | E::CheckFailed(_)) => return None,
        };
        (after != *self).then_some(after)
    }

    fn opened(&self, reason: String, rules: &CircuitRules) -> Self {
        let openings = self.openings.saturating_add(1);
        let next_try_at = Some(lease::end(rules.now, wait(openings, rules.jitter)));
        Self { state: CircuitState::Open, openings, reason, next_try_at, ..self.clone() }
    }
}

/// For how long a circuit stays open that opened so often one time after the other.
fn wait(openings: u32, jitter: f64) -> Duration {
    back_off(FIRST_WAIT, LONGEST_WAIT, openings.saturating_sub(1), jitter)
}

/// `first`, doubled so often, at most `longest`; and up to a fifth less, by jitter between 0 and 1.
pub(crate) fn back_off(first: Duration, longest: Duration, doublings: u32, jitter: f64) -> Duration {
    let whole = first.saturating_mul(1 << doublings.min(16)).min(longest);
    whole.mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    fn rules(seconds: i64) -> CircuitRules {
        CircuitRules { now: at(seconds), tolerated: 3, jitter: 0.0 }
    }

    fn after(circuit: &Circuit, events: &[(CircuitEvent<'_>, i64)]) -> Circuit {
        let step = |circuit: Circuit, (event, at): &(CircuitEvent<'_>, i64)| {
            circuit.after(*event, &rules(*at)).unwrap_or(circuit)
        };
        events.iter().fold(circuit.clone(), step)
    }

    const FAILED: CircuitEvent<'static> = CircuitEvent::Failed("no answer");

    #[test]
    fn opens_after_so_many_failures_in_a_row_and_says_why() {
        let two = after(&Circuit::closed(), &[(FAILED, 0), (FAILED, 1)]);
        assert_eq!((two.state, two.failures), (CircuitState::Closed, 2));
        assert_eq!(after(&two, &[(CircuitEvent::Succeeded, 2), (FAILED, 3)]).failures, 1);
        let open = after(&two, &[(FAILED, 10)]);
        assert_eq!((open.state, open.next_try_at), (CircuitState::Open, Some(at(70))));
        assert_eq!(open.reason, "3 deployments failed one after the other, the last one: no answer");
    }

    #[test]
    fn a_check_and_a_deployment_have_to_succeed_before_it_closes() {
        let open = after(&Circuit::closed(), &[(FAILED, 0), (FAILED, 0), (FAILED, 0)]);
        assert_eq!(open.after(CircuitEvent::CheckPassed, &rules(30)), None, "not before it is due");
        assert_eq!(open.after(CircuitEvent::Due, &rules(59)), None);
        let awaited = after(&open, &[(CircuitEvent::Due, 60)]);
        assert_eq!((awaited.state, awaited.next_try_at), (CircuitState::HalfOpen, Some(at(180))));
        let again = after(&awaited, &[(CircuitEvent::Due, 180)]);
        assert_eq!(again.next_try_at, Some(at(300)), "a check that was lost is asked for again");
        let tries = after(&again, &[(CircuitEvent::CheckPassed, 181)]);
        assert_eq!((tries.state, tries.next_try_at), (CircuitState::HalfOpen, None));
        assert_eq!(after(&tries, &[(CircuitEvent::Succeeded, 200)]), Circuit::closed());
    }

    #[test]
    fn what_fails_again_waits_twice_as_long_up_to_an_end() {
        let mut circuit = after(&Circuit::closed(), &[(FAILED, 0), (FAILED, 0), (FAILED, 0)]);
        for minutes in [2, 4, 8, 16, 30, 30] {
            let now = circuit.next_try_at.unwrap().timestamp();
            let fails = if minutes == 4 { CircuitEvent::CheckFailed("down") } else { FAILED };
            circuit = after(&circuit, &[(CircuitEvent::Due, now), (fails, now)]);
            assert_eq!(circuit.state, CircuitState::Open);
            assert_eq!(circuit.next_try_at, Some(at(now + minutes * 60)));
        }
        assert_eq!(after(&circuit, &[(CircuitEvent::ClosedByHand, 0)]), Circuit::closed());
    }

    fn events() -> impl Strategy<Value = Vec<(u8, i64)>> {
        proptest::collection::vec((0_u8..6, 0_i64..3000), 0..60)
    }

    proptest! {
        /// Whatever happens: only an open or awaited circuit waits for a time, success always closes, and nothing is told to change that does not.
        #[test]
        fn it_never_gets_stuck(events in events(), jitter in 0.0..1.0_f64) {
            let (mut circuit, mut now) = (Circuit::closed(), 0);
            for (kind, later) in events {
                now += later;
                let rules = CircuitRules { jitter, ..rules(now) };
                let event = match kind {
                    0 => CircuitEvent::Succeeded,
                    1 => FAILED,
                    2 => CircuitEvent::Due,
                    3 => CircuitEvent::CheckPassed,
                    4 => CircuitEvent::CheckFailed("down"),
                    _ => CircuitEvent::ClosedByHand,
                };
                if let Some(next) = circuit.after(event, &rules) {
                    prop_assert_ne!(&next, &circuit);
                    circuit = next;
                }
                match circuit.state {
                    CircuitState::Closed => prop_assert!(circuit.next_try_at.is_none() && circuit.reason.is_empty() && circuit.failures < 3),
                    CircuitState::Open => {
                        let wait = circuit.next_try_at.unwrap() - at(now);
                        prop_assert!(wait <= chrono::TimeDelta::minutes(30) && !circuit.reason.is_empty());
                    }
                    CircuitState::HalfOpen => prop_assert!(!circuit.reason.is_empty()),
                }
                prop_assert_eq!(circuit.after(CircuitEvent::Succeeded, &rules).unwrap_or(circuit.clone()), Circuit::closed());
            }
        }
    }
}
