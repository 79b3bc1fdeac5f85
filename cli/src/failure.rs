//! Why a command did not do what was asked, with the exit code and the next thing to do.

use std::io;

use sprout_client::{ClientError, Code, Reason};
use sprout_conf::ConfigError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Client(#[from] ClientError),
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// Something that was checked is wrong, and was printed.
    #[error("{message}")]
    Wrong { message: String, hint: String },
    /// The arguments make no sense together.
    #[error("{message}")]
    Usage { message: String, hint: String },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// Who read our output has gone; there is nobody to tell.
    #[error("nobody reads the output")]
    OutputClosed,
    /// What was waited for came out badly.
    #[error("{message}")]
    Outcome { message: String, hint: String },
    #[error("{message}")]
    TimedOut { message: String, hint: String },
    #[error("{message}")]
    Interrupted { message: String, hint: String },
    /// A signal ended the command. 128 and its number.
    #[error("{message}")]
    Stopped { code: u8, message: String, hint: String },
    /// The program that was to be run cannot be. 127: it is not there; 126: anything else.
    #[error("{message}")]
    NotStarted { code: u8, message: String, hint: String },
    /// The program that was run ended with this; what there is to say it has said.
    #[error("the command ended with exit code {0}")]
    Program(u8),
    /// The user said no.
    #[error("{0}")]
    Declined(String),
    /// An answer of the server lacks what the protocol promises.
    #[error("the server's answer has no {0}; server and sproutctl are of very different versions")]
    Incomplete(&'static str),
}

impl Failure {
    /// As documented in `docs/sproutctl.md`.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Config(_) | Self::Io { .. } | Self::Wrong { .. } | Self::Declined(_) | Self::Incomplete(_) => 1,
            Self::Usage { .. } => 2,
            Self::TimedOut { .. } => 7,
            Self::Outcome { .. } => 8,
            Self::Interrupted { .. } => 130,
            Self::Stopped { code, .. } | Self::NotStarted { code, .. } | Self::Program(code) => *code,
            // The server can do it; the provider cannot.
            Self::Client(error) if error.kind() == Some(Reason::Unsupported) => 6,
            Self::Client(error) => match error.code() {
                Code::InvalidArgument | Code::OutOfRange => 2,
                Code::NotFound => 3,
                Code::Unauthenticated | Code::PermissionDenied => 4,
                Code::Unavailable | Code::DeadlineExceeded => 5,
                Code::FailedPrecondition | Code::ResourceExhausted | Code::AlreadyExists | Code::Aborted => 6,
                Code::Ok | Code::Cancelled | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => 1,
            },
        }
    }

    /// What to do next, if there is something to say. `noun` is what the command works on.
    pub(crate) fn hint(&self, noun: &str) -> Option<String> {
        match self {
            Self::Client(error) => {
                let reason = error.kind().and_then(reason_hint).map(str::to_owned);
                let is_told = error.kind() == Some(Reason::Unsupported);
                let refusal = || refusal_hint(error.code(), noun).filter(|_| !is_told);
                let hint = error.hint().or(reason).or_else(refusal)?;
                // The server may have named the command itself.
                let command = hint.split('`').nth(1).filter(|command| command.starts_with("sproutctl"));
                Some(hint.clone()).filter(|_| !command.is_some_and(|it| error.to_string().contains(it)))
            }
            Self::Usage { hint, .. }
            | Self::Outcome { hint, .. }
            | Self::Wrong { hint, .. }
            | Self::TimedOut { hint, .. }
            | Self::Interrupted { hint, .. }
            | Self::Stopped { hint, .. }
            | Self::NotStarted { hint, .. } => Some(hint.clone()).filter(|hint| !hint.is_empty()),
            Self::Config(_)
            | Self::Io { .. }
            | Self::Declined(_)
            | Self::OutputClosed
            | Self::Program(_)
            | Self::Incomplete(_) => None,
        }
    }
}

/// What to do about refusals that say exactly what they are.
fn reason_hint(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::TaskNotRunning => {
            "`sproutctl task list --state running` shows what runs; `sproutctl workflow cancel ID` ends the work as a whole"
        }
        Reason::TaskNotRetrying => "`sproutctl task list --state retrying` shows what waits for its next try",
        Reason::ProviderNotFound => "`sproutctl provider list` shows what there is",
        Reason::GroupNotFound => "`sproutctl group list` shows what there is",
        Reason::PoolNotFound => "`sproutctl pool list` shows what there is, with `--state ended` what there was",
        Reason::ApplianceNotFound => "`sproutctl appliance list` shows what there is",
        Reason::UserNotFound => "names are written as their owners sign in; staff see them with `sproutctl user list`",
        Reason::HoldLimit => "`sproutctl appliance list -o json` says in `held_until` which are held",
        Reason::TaskNotFound => {
            "`sproutctl task list` shows what has not ended, `--state done` what has; older ones were pruned"
        }
        Reason::WorkflowNotFound => {
            "`sproutctl workflow list` shows what has not ended, `--state succeeded` what has; older ones were pruned"
        }
        _ => return None,
    })
}

fn refusal_hint(code: Code, noun: &str) -> Option<String> {
    let hint = match code {
        Code::Unauthenticated if noun == "login" => "check the name and the password".to_owned(),
        Code::Unauthenticated => "sign in with `sproutctl login NAME`, or set SPROUT_TOKEN".to_owned(),
        Code::PermissionDenied => {
            "`sproutctl whoami` shows who you are; sign in as someone who may, or ask for the role".to_owned()
        }
        Code::NotFound if noun == "request" => {
            "`sproutctl group list` and `sproutctl provider list` show what there is".to_owned()
        }
        Code::NotFound if noun == "shepherd" => {
            "`sproutctl group list` and `sproutctl user-group list` show what there is".to_owned()
        }
        Code::NotFound => format!("`sproutctl {noun} list` shows what there is"),
        Code::FailedPrecondition if noun == "request" => {
            "`sproutctl provider list` shows what works, `sproutctl template list` what can be requested".to_owned()
        }
        Code::AlreadyExists if noun == "request" => "leave --request-id away to make a new request".to_owned(),
        Code::ResourceExhausted if noun == "login" => return None,
        Code::ResourceExhausted => "`sproutctl pool list` shows what you have; kill what you no longer need".to_owned(),
        Code::Internal | Code::Unknown | Code::DataLoss => "the server's log says more".to_owned(),
        Code::Unimplemented => {
            "the server is older than this sproutctl; `sproutctl status` shows its version".to_owned()
        }
        _ => return None,
    };
    Some(hint)
}
