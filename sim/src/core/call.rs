//! Calls, and what becomes of them.

use serde::{Deserialize, Serialize};
use sprout_proto::task::StepErrorReason as Reason;

use super::{Millis, Sim, Tags, View};

/// A call of a provider, as in `sprout.provider.v1`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // as documented there
pub enum Call {
    Check,
    ListTemplates,
    /// At most `limit` instances with ids above `after`.
    List {
        after: u64,
        limit: usize,
    },
    Find {
        name: String,
    },
    Create {
        template: String,
        name: String,
        tags: Tags,
        memory_mib: Option<u32>,
        cpus: Option<u32>,
        ports: Vec<u16>,
    },
    Tag {
        name: String,
        tags: Tags,
    },
    Start {
        name: String,
    },
    Stop {
        name: String,
    },
    Reboot {
        name: String,
    },
    Suspend {
        name: String,
    },
    Resume {
        name: String,
    },
    Rename {
        name: String,
        new_name: String,
    },
    Resize {
        name: String,
        memory_mib: Option<u32>,
        cpus: Option<u32>,
    },
    Snapshot {
        name: String,
        snapshot: String,
    },
    Reset {
        name: String,
        snapshot: String,
    },
    AttachDisk {
        name: String,
        size_mib: u64,
    },
    DetachDisk {
        name: String,
    },
    MakeTemplate {
        name: String,
        template: String,
    },
    DeleteTemplate {
        template: String,
    },
    Delete {
        name: String,
        /// Those it must carry; none: it must carry none.
        tags: Option<Tags>,
    },
}

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // as [`Call`]
pub enum Operation {
    Check,
    ListTemplates,
    List,
    Find,
    Create,
    Tag,
    Start,
    Stop,
    Reboot,
    Suspend,
    Resume,
    Rename,
    Resize,
    Snapshot,
    Reset,
    AttachDisk,
    DetachDisk,
    MakeTemplate,
    DeleteTemplate,
    Delete,
}

impl Call {
    /// Its kind.
    pub fn operation(&self) -> Operation {
        match self {
            Self::Check => Operation::Check,
            Self::ListTemplates => Operation::ListTemplates,
            Self::List { .. } => Operation::List,
            Self::Find { .. } => Operation::Find,
            Self::Create { .. } => Operation::Create,
            Self::Tag { .. } => Operation::Tag,
            Self::Start { .. } => Operation::Start,
            Self::Stop { .. } => Operation::Stop,
            Self::Reboot { .. } => Operation::Reboot,
            Self::Suspend { .. } => Operation::Suspend,
            Self::Resume { .. } => Operation::Resume,
            Self::Rename { .. } => Operation::Rename,
            Self::Resize { .. } => Operation::Resize,
            Self::Snapshot { .. } => Operation::Snapshot,
            Self::Reset { .. } => Operation::Reset,
            Self::AttachDisk { .. } => Operation::AttachDisk,
            Self::DetachDisk { .. } => Operation::DetachDisk,
            Self::MakeTemplate { .. } => Operation::MakeTemplate,
            Self::DeleteTemplate { .. } => Operation::DeleteTemplate,
            Self::Delete { .. } => Operation::Delete,
        }
    }

    /// Name of the instance, or else template, that it is about; empty: none.
    pub fn name(&self) -> &str {
        match self {
            Self::Check | Self::ListTemplates | Self::List { .. } => "",
            Self::DeleteTemplate { template } => template,
            Self::Find { name }
            | Self::Create { name, .. }
            | Self::Tag { name, .. }
            | Self::Start { name }
            | Self::Stop { name }
            | Self::Reboot { name }
            | Self::Suspend { name }
            | Self::Resume { name }
            | Self::Rename { name, .. }
            | Self::Resize { name, .. }
            | Self::Snapshot { name, .. }
            | Self::Reset { name, .. }
            | Self::AttachDisk { name, .. }
            | Self::DetachDisk { name }
            | Self::MakeTemplate { name, .. }
            | Self::Delete { name, .. } => name,
        }
    }
}

/// What befalls one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)] // independent facts
pub struct Struck {
    pub(super) error: Option<Reason>,
    pub(super) no_answer: bool,
    pub(super) disconnect: bool,
    pub(super) slow: Millis,
    pub(super) late: Millis,
    pub(super) lost: Option<Millis>,
    pub(super) crash: Option<Millis>,
    pub(super) no_boot: bool,
    pub(super) no_address: bool,
    pub(super) stale: Option<Millis>,
    pub(super) name_clash: bool,
}

/// A call that was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// When it is to be carried out.
    pub acts_at: Millis,
    /// What befalls it.
    pub struck: Struck,
}

/// A call that was carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// When it is answered.
    pub answered_at: Millis,
    /// With what.
    pub answer: Result<Reply, Refused>,
    /// Whether its caller learns that.
    pub fate: Fate,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Answered,
    /// It is never sent.
    Never,
    /// The connection is cut instead.
    Cut,
}

/// A good answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done.
    Done,
    /// Of `find`.
    Instance(Option<View>),
    /// Of `list`, by id; at the end when there are fewer than asked for.
    Instances(Vec<View>),
    /// Of `list_templates`.
    Templates(Vec<String>),
}

/// A bad answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// For programs.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

impl Refused {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Reason::Invalid, message)
    }

    pub(super) fn absent(name: &str) -> Self {
        Self::new(Reason::ApplianceNotFound, format!("there is no instance {name}"))
    }

    pub(super) fn taken(name: &str) -> Self {
        Self::new(Reason::NameTaken, format!("the name {name} is taken; choose another one"))
    }
}

impl Sim {
    /// Takes a call in: draws what befalls it.
    pub fn begin(&mut self, now: Millis, call: &Call) -> Begun {
        self.settle(now);
        let struck = self.strike(now, call);
        Begun { acts_at: now + struck.late, struck }
    }

    /// Carries a call out, at the time [`Self::begin`] said.
    pub fn act(&mut self, now: Millis, call: &Call, struck: Struck) -> Outcome {
        self.settle(now);
        let (answered_at, answer) = match struck.error {
            Some(reason) => {
                (now, Err(Refused::new(reason, format!("{:?} failed, as it was told to", call.operation()))))
            }
            None => match self.carry_out(now, call, struck) {
                Ok((at, reply)) => (at, Ok(reply)),
                Err(refused) => (now, Err(refused)),
            },
        };
        self.settle(now);
        let fate = match struck {
            Struck { no_answer: true, .. } => Fate::Never,
            Struck { disconnect: true, .. } => Fate::Cut,
            _ => Fate::Answered,
        };
        Outcome { answered_at: answered_at + struck.slow, answer, fate }
    }
}
