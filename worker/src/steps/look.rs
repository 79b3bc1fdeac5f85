//! Looking at an appliance and judging what is seen: is it ours, another's, absent; does it still run?

use sprout_proto::task::{ObservedOutput, Tags};
use tokio::time::{Duration, Instant};

use super::StepContext;
use crate::driver::{DriverError, Instance, PowerState, Reason, Result};

/// An appliance that should run counts as stopped when it is seen so without a break for this long: some providers show a
/// past state for a moment.
const DEAD_AFTER: Duration = Duration::from_millis(500);

/// The appliance a step works on.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Its name on the provider.
    pub(super) name: &'a str,
    /// The name that it may have been given by now; empty: there is none.
    pub(super) new_name: &'a str,
    /// The marks it must carry.
    pub(super) tags: &'a Tags,
    /// It is no appliance, and must carry no marks at all.
    pub(super) unmarked: bool,
}

/// What is unmarked must not carry these either.
static NO_MARKS: Tags = Tags { installation_id: String::new(), appliance_id: 0, epoch: 0 };

/// What is there under an appliance's name.
pub(super) enum Seen {
    /// The appliance.
    Ours(Instance),
    /// Something that does not carry its marks; names are unique on a provider, so the appliance itself is absent.
    Foreign(DriverError),
    /// Nothing.
    Absent,
}

impl<'a> Subject<'a> {
    /// A machine that must carry no marks.
    pub(super) fn unmarked(name: &'a str) -> Self {
        Self { name, new_name: "", tags: &NO_MARKS, unmarked: true }
    }
}

impl Subject<'_> {
    /// Looks. The epoch of the marks is not compared: a clone made under an older assignment of the same task is as good.
    pub(super) async fn look(&self, ctx: &StepContext) -> Result<Seen> {
        let seen = self.look_for(ctx, self.name).await?;
        if self.new_name.is_empty() || matches!(seen, Seen::Ours(_)) {
            return Ok(seen);
        }
        // In this order: whoever renames it meanwhile makes it turn up here.
        match self.look_for(ctx, self.new_name).await? {
            Seen::Ours(instance) => Ok(Seen::Ours(instance)),
            Seen::Foreign(_) | Seen::Absent => Ok(seen),
        }
    }

    async fn look_for(&self, ctx: &StepContext, name: &str) -> Result<Seen> {
        Ok(match ctx.find(name).await? {
            None => Seen::Absent,
            Some(instance) if self.owns(&instance) => Seen::Ours(instance),
            Some(instance) => Seen::Foreign(self.taken(&instance)),
        })
    }

    /// Looks for something that must be there.
    pub(super) async fn expect(&self, ctx: &StepContext) -> Result<Instance> {
        match self.look(ctx).await? {
            Seen::Ours(instance) => Ok(instance),
            Seen::Foreign(taken) => Err(taken),
            Seen::Absent => Err(DriverError::not_found(self.name)),
        }
    }

    fn owns(&self, instance: &Instance) -> bool {
        if self.unmarked {
            return instance.tags.is_none();
        }
        instance.tags.as_ref().is_some_and(|tags| {
            tags.installation_id == self.tags.installation_id && tags.appliance_id == self.tags.appliance_id
        })
    }

    fn taken(&self, instance: &Instance) -> DriverError {
        let whose = match &instance.tags {
            None => "carries no marks of Sprout".to_owned(),
            Some(tags) if tags.installation_id == self.tags.installation_id => {
                format!("is marked as appliance {}, not {}", tags.appliance_id, self.tags.appliance_id)
            }
            Some(tags) => format!("belongs to the Sprout installation {}", tags.installation_id),
        };
        let name = &instance.name;
        let message = format!("{name} on the provider {whose}; it is not touched: remove or rename it there");
        DriverError::new(Reason::NameTaken, message)
    }
}

/// Watches whether an appliance that should run still does.
#[derive(Default)]
pub(super) struct Pulse {
    dead_since: Option<Instant>,
}

impl Pulse {
    /// Fails once `seen` shows for long enough that the appliance ended.
    pub(super) fn check(&mut self, subject: Subject<'_>, seen: &Seen) -> Result<()> {
        let name = subject.name;
        let error = match seen {
            Seen::Foreign(taken) => return Err(taken.clone()),
            Seen::Absent => DriverError::not_found(name),
            Seen::Ours(Instance { power: PowerState::Off, .. }) => broken(name, "stopped by itself and is off"),
            Seen::Ours(Instance { power: PowerState::Suspended, .. }) => broken(name, "was suspended"),
            Seen::Ours(_) => {
                self.dead_since = None;
                return Ok(());
            }
        };
        let since = *self.dead_since.get_or_insert_with(Instant::now);
        if since.elapsed() < DEAD_AFTER { Ok(()) } else { Err(error) }
    }

    /// The last look saw it dead: look again soon.
    pub(super) fn doubtful(&self) -> bool {
        self.dead_since.is_some()
    }
}

/// `name` ended while it should have become ready.
pub(super) fn broken(name: &str, how: &str) -> DriverError {
    let message = format!("{name} {how} before it got ready; look at its console or log on the provider for the cause");
    DriverError::new(Reason::ApplianceBroken, message)
}

/// What was seen, as the server wants it; without endpoints.
pub(super) fn observation(instance: &Instance) -> ObservedOutput {
    ObservedOutput {
        provider_ref: instance.provider_ref.clone(),
        power_state: instance.power.into(),
        address: instance.address.clone(),
        endpoints: Vec::new(),
        console_url: instance.console_url.clone(),
    }
}

/// A power state for people.
pub(super) fn power_name(power: PowerState) -> &'static str {
    match power {
        PowerState::Unspecified => "state unknown",
        PowerState::On => "on",
        PowerState::Off => "off",
        PowerState::Suspended => "suspended",
        PowerState::Changing => "changing its state",
        PowerState::Absent => "absent",
    }
}
