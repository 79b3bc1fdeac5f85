//! What of a provider's machines may be deleted, when, and why: leaks, and what administrators' rules match.
//!
//! A leak goes once two listings in a row showed it and it has been one for the grace time. If many would go at once, and that is most of what carries
//! our tag there, the database is more likely wrong than the provider: then none goes until someone says so.

use std::time::Duration;

use regex::{Regex, RegexBuilder};

use super::{Machine, MachineKind};
use crate::{Error, ProviderKey, Result, Timestamp, lease};

/// Listings in a row that must show a leak.
pub const SIGHTINGS: u32 = 2;
/// More leaks than this at once are doubted, if they are most of what is ours.
pub const MANY: usize = 20;
/// Rules are about machines that were first seen at least this long ago.
pub const MIN_AGE: Duration = Duration::from_secs(10 * 60);
/// And at most this long: a hundred years are for ever.
const MAX_AGE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// The longest pattern, in bytes.
const PATTERN: usize = 256;
/// What a compiled pattern may take, in bytes.
const COMPILED: usize = 1 << 18;

/// A rule of an administrator.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Identity; 0: it is only thought of.
    pub id: i64,
    /// Names it is about.
    pub pattern: Pattern,
    /// Machines that were first seen longer ago.
    pub min_age: Duration,
    /// Only on this provider.
    pub provider: Option<ProviderKey>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A regular expression that matches somewhere in a name.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

/// A machine that is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The machine.
    pub machine: Machine,
    /// Why.
    pub reason: String,
    /// When; none: now.
    pub not_before: Option<Timestamp>,
    /// It goes only once someone says so.
    pub doubted: bool,
}

impl Planned {
    /// It goes now.
    pub fn is_due(&self) -> bool {
        self.not_before.is_none() && !self.doubted
    }
}

impl Pattern {
    /// Compiles a pattern.
    pub fn new(pattern: &str) -> Result<Self> {
        let wrong = |why: &str| Error::invalid("name_pattern", why);
        if pattern.trim().is_empty() || pattern.len() > PATTERN {
            return Err(wrong("a pattern has 1 to 256 bytes; write a regular expression such as ^jenkins-"));
        }
        let compiled = RegexBuilder::new(pattern).size_limit(COMPILED).build();
        compiled.map(Self).map_err(|error| {
            // Drawn over several lines; the last one says it.
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            wrong(&format!("this is no regular expression: {last}"))
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Rule {
    /// The age, if a rule may have it.
    pub fn checked_age(age: Duration) -> Result<Duration> {
        if (MIN_AGE..=MAX_AGE).contains(&age) {
            return Ok(age);
        }
        Err(Error::invalid(
            "min_age",
            "a machine is at least 10 minutes old before a rule may delete it; give 10m or more",
        ))
    }

    /// It is about this machine, which no rule is whose appliance is there, nor one that carries another installation's tag. (What is lost and has
    /// not been rebuilt for so long never will be.)
    pub fn matches(&self, machine: &Machine) -> bool {
        matches!(machine.kind, MachineKind::Untracked | MachineKind::Stray | MachineKind::Lost)
            && self.provider.as_ref().is_none_or(|provider| *provider == machine.provider)
            && self.pattern.0.is_match(&machine.name)
    }
}

/// When a leak, or a lost machine, has been seen for long enough; none: now.
pub fn ripe(machine: &Machine, now: Timestamp, grace: Duration) -> Option<Timestamp> {
    let at = lease::end(machine.since, grace);
    (at > now || machine.sightings < SIGHTINGS).then_some(at)
}

/// What of a provider's machines goes, and when. `marked`: how many there carry our tag.
pub fn plan(machines: &[Machine], rules: &[Rule], marked: usize, now: Timestamp, grace: Duration) -> Vec<Planned> {
    let mut planned: Vec<_> = machines.iter().filter_map(|machine| planned(machine, rules, now, grace)).collect();
    let doubtful = |planned: &&mut Planned| {
        planned.machine.kind == MachineKind::Leaked && planned.not_before.is_none() && !planned.machine.approved
    };
    let leaks = planned.iter_mut().filter(|planned| doubtful(planned)).count();
    if leaks > MANY && leaks * 2 > marked {
        planned.iter_mut().filter(doubtful).for_each(|planned| planned.doubted = true);
    }
    planned
}

fn planned(machine: &Machine, rules: &[Rule], now: Timestamp, grace: Duration) -> Option<Planned> {
    let (reason, not_before) = if machine.kind == MachineKind::Leaked {
        let whose = machine.appliance_id.map(|id| format!("appliance {id}")).unwrap_or_default();
        (format!("carries our tag, and {whose} is gone"), ripe(machine, now, grace))
    } else {
        let rule = rules.iter().filter(|rule| rule.matches(machine)).min_by_key(|rule| (rule.min_age, rule.id))?;
        let at = lease::end(machine.first_seen_at, rule.min_age);
        let which = if rule.id == 0 { "this rule".to_owned() } else { format!("rule {}", rule.id) };
        let (pattern, age) = (rule.pattern.as_str(), rule.min_age.as_secs().div_ceil(60));
        let reason = format!("{which}: `{pattern}`, first seen more than {age} min ago");
        (reason, (at > now).then_some(at))
    };
    Some(Planned { machine: machine.clone(), reason, not_before, doubted: false })
}
