//! Templates: images on one provider.

use std::fmt;

use crate::{ApplianceId, GroupName, ProviderKey, TemplateId, Timestamp, version::Version};

/// The day a template was built.
pub type BuildDate = chrono::NaiveDate;

/// Where a template is in its life.
///
/// ```text
/// (made of another)→ preparing ─sealed and marked→ ready      preparing ─failed, ended→ gone, or retiring if an image may be there
/// (found)→ ready ⇄ quarantined      ready, quarantined ─deleted by request or for its age→ retiring ─its last appliance is gone, it is deleted→ gone
///          ready, quarantined ─not listed any more→ gone ─listed again→ ready
/// ```
/// One that is retiring is not ready again, and not gone, whatever a look at its provider finds: only its deletion ends that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateState {
    /// An appliance is being made a template of this name.
    Preparing,
    /// Appliances can be cloned from it.
    Ready,
    /// Failed too often; not used until it heals.
    Quarantined,
    /// No longer used; being deleted.
    Retiring,
    /// No longer on the provider.
    Gone,
}

impl TemplateState {
    /// Name in tables, events and clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Quarantined => "quarantined",
            Self::Retiring => "retiring",
            Self::Gone => "gone",
        }
    }
}

/// What is cloned from a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateType {
    /// A virtual machine.
    VirtualMachine,
    /// A container, or a pod.
    Container,
    /// A virtual machine that runs the product in a container.
    DockerVm,
}

impl TemplateType {
    /// Name in tables and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VirtualMachine => "virtual_machine",
            Self::Container => "container",
            Self::DockerVm => "docker_vm",
        }
    }
}

impl fmt::Display for TemplateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One image on one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Identity.
    pub id: TemplateId,
    /// Name on the provider.
    pub name: String,
    /// Where it is.
    pub provider: ProviderKey,
    /// Whose naming rule it matches.
    pub group: GroupName,
    /// Version read from its name.
    pub version: Version,
    /// Build date read from its name.
    pub date: BuildDate,
    /// Where it is in its life.
    pub state: TemplateState,
    /// When it was first found.
    pub found_at: Timestamp,
    /// What is cloned from it.
    pub template_type: TemplateType,
    /// Its appliances need to be configured before they can be used; they count as ready when they are on.
    pub unconfigured: bool,
    /// Deployments of it that failed, since the last one that succeeded.
    pub failure_count: u32,
    /// Why it is quarantined; empty otherwise.
    pub quarantine_reason: String,
    /// The failed appliance that is kept for inspection, while it is quarantined.
    pub specimen_id: Option<ApplianceId>,
    /// When a single deployment tries whether it has healed, while it is quarantined.
    pub next_try_at: Option<Timestamp>,
    /// A newer one has made it superfluous.
    pub suggested_for_deletion: bool,
    /// Too old to be used for new appliances.
    pub obsolete: bool,
    /// What its catalogue and the rules for names say of it.
    pub said: Said,
    /// The template that it was, or is being, prepared from.
    pub parent_id: Option<TemplateId>,
    /// What its appliances pull, where it was read from an index of builds; empty otherwise.
    pub build: String,
    /// The version that is inside, where it was looked at; empty otherwise.
    pub verified_version: String,
    /// How its preparation goes, of one that others are made of.
    pub preparation: Preparations,
}

/// What a catalogue and the rules for names say of a template. One that was made of another is as that one is said to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// Why it may not be used; empty: it may.
    pub unusable: String,
    /// It was released to everyone ("generally available").
    pub ga_released: bool,
    /// Whatever else the catalogue has on it: a JSON text; empty: nothing.
    pub custom_data: String,
}

/// How preparing a template went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preparations {
    /// Preparations that failed one after the other.
    pub failures: u32,
    /// Why the last one failed; empty if it did not.
    pub error: String,
    /// The service does not begin another one before.
    pub not_before: Option<Timestamp>,
}
