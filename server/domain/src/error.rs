//! The one error of the inner layers: a reason for programs, a sentence for the caller, details for the operator.

use std::fmt;

/// Result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused. Clients match on these; they survive the wire by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A field of the request is wrong; metadata `field` says which.
    InvalidArgument,
    /// There is no such pool, or none the caller may see.
    PoolNotFound,
    /// There is no such appliance, or none the caller may see.
    ApplianceNotFound,
    /// There is no such provider, or none the caller may see.
    ProviderNotFound,
    /// There is no such template, or none the caller may see.
    TemplateNotFound,
    /// There is no such group.
    GroupNotFound,
    /// There is no such user, or none the caller may see.
    UserNotFound,
    /// There is no such user group, or none the caller may see.
    UserGroupNotFound,
    /// There is no such worker, or it was removed.
    WorkerNotFound,
    /// There is no such workflow, or it was pruned.
    WorkflowNotFound,
    /// The workflow must run to its end.
    WorkflowNotCancellable,
    /// There is no such task, or it was pruned.
    TaskNotFound,
    /// There is no such job.
    JobNotFound,
    /// A catalogue could not be read whole.
    CatalogueUnreadable,
    /// There is no such clean-up rule.
    RuleNotFound,
    /// The last listing of the provider shows no such machine.
    MachineNotFound,
    /// No worker runs the task.
    TaskNotRunning,
    /// The task does not wait for its next try.
    TaskNotRetrying,
    /// The request id was used for a different request.
    RequestIdReused,
    /// A user of that name exists.
    UserExists,
    /// The caller has a token of that name.
    TokenExists,
    /// There is no such token, or none the caller may see.
    TokenNotFound,
    /// Nobody would be left who may do everything.
    LastSuperuser,
    /// The user may not sign in.
    UserDisabled,
    /// The token used is not for this.
    ScopeTooNarrow,
    /// A user group of that name exists.
    UserGroupExists,
    /// The user may not choose memory and CPUs of appliances.
    OverrideNotAllowed,
    /// No template fits the request, and none will without someone's doing.
    NoTemplate,
    /// The provider asked for is disabled or failed its last check.
    ProviderNotUsable,
    /// The subject is in a state in which this cannot be done.
    WrongState,
    /// The user has, or would have, more than the user's quota allows; metadata says which, its limit, and what is used of it.
    QuotaExceeded,
    /// Something else is under way with the subject; metadata `workflow_id` says what.
    Busy,
    /// The provider cannot do this.
    Unsupported,
    /// Something else on the provider has that name.
    NameTaken,
    /// The lease asked for is longer than the group allows.
    LeaseTooLong,
    /// The two pools are not of one kind or one owner, and cannot become one; metadata `field` says in what they differ.
    PoolsDiffer,
    /// The user holds as many appliances as one may.
    HoldLimit,
    /// No, or a bad, or an expired token.
    NotSignedIn,
    /// Name and password do not match.
    WrongPassword,
    /// Too many wrong passwords were tried; `retry_seconds` says when to come back.
    TooManyAttempts,
    /// There is no such join token, or it was deleted with its worker.
    JoinTokenUnknown,
    /// The join token was made too long ago.
    JoinTokenExpired,
    /// A worker has joined with the join token already.
    JoinTokenUsed,
    /// A worker called over TLS without a certificate.
    CertificateRequired,
    /// The caller's role does not allow this.
    NotAllowed,
    /// The caller must resume from an older point than is kept, or fell too far behind.
    WatchTooOld,
    /// A message came where the protocol does not allow it.
    OutOfOrder,
    /// A newer session of the same worker took the place of this one.
    SessionReplaced,
    /// Two transactions collided, and this one was undone as a whole: it is to be tried again, which the use cases do. Callers never see it.
    Conflict,
    /// The database cannot be reached, is full or read-only; try again later.
    DatabaseUnavailable,
    /// A defect. The message to the caller carries no details; the operator's log does.
    Internal,
}

impl Reason {
    /// Name on the wire: `UPPER_SNAKE_CASE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::PoolNotFound => "POOL_NOT_FOUND",
            Self::TemplateNotFound => "TEMPLATE_NOT_FOUND",
            Self::ApplianceNotFound => "APPLIANCE_NOT_FOUND",
            Self::ProviderNotFound => "PROVIDER_NOT_FOUND",
            Self::GroupNotFound => "GROUP_NOT_FOUND",
            Self::UserNotFound => "USER_NOT_FOUND",
            Self::UserGroupNotFound => "USER_GROUP_NOT_FOUND",
            Self::WorkerNotFound => "WORKER_NOT_FOUND",
            Self::WorkflowNotFound => "WORKFLOW_NOT_FOUND",
            Self::WorkflowNotCancellable => "WORKFLOW_NOT_CANCELLABLE",
            Self::TaskNotFound => "TASK_NOT_FOUND",
            Self::JobNotFound => "JOB_NOT_FOUND",
            Self::CatalogueUnreadable => "CATALOGUE_UNREADABLE",
            Self::RuleNotFound => "RULE_NOT_FOUND",
            Self::MachineNotFound => "MACHINE_NOT_FOUND",
            Self::TaskNotRunning => "TASK_NOT_RUNNING",
            Self::TaskNotRetrying => "TASK_NOT_RETRYING",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::UserExists => "USER_EXISTS",
            Self::TokenExists => "TOKEN_EXISTS",
            Self::TokenNotFound => "TOKEN_NOT_FOUND",
            Self::LastSuperuser => "LAST_SUPERUSER",
            Self::UserDisabled => "USER_DISABLED",
            Self::ScopeTooNarrow => "SCOPE_TOO_NARROW",
            Self::UserGroupExists => "USER_GROUP_EXISTS",
            Self::OverrideNotAllowed => "OVERRIDE_NOT_ALLOWED",
            Self::NoTemplate => "NO_TEMPLATE",
            Self::ProviderNotUsable => "PROVIDER_NOT_USABLE",
            Self::WrongState => "WRONG_STATE",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::Busy => "BUSY",
            Self::Unsupported => "UNSUPPORTED",
            Self::NameTaken => "NAME_TAKEN",
            Self::LeaseTooLong => "LEASE_TOO_LONG",
            Self::PoolsDiffer => "POOLS_DIFFER",
            Self::HoldLimit => "HOLD_LIMIT",
            Self::NotSignedIn => "NOT_SIGNED_IN",
            Self::WrongPassword => "WRONG_PASSWORD",
            Self::TooManyAttempts => "TOO_MANY_ATTEMPTS",
            Self::JoinTokenUnknown => "JOIN_TOKEN_UNKNOWN",
            Self::JoinTokenExpired => "JOIN_TOKEN_EXPIRED",
            Self::JoinTokenUsed => "JOIN_TOKEN_USED",
            Self::CertificateRequired => "CERTIFICATE_REQUIRED",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::WatchTooOld => "WATCH_TOO_OLD",
            Self::OutOfOrder => "OUT_OF_ORDER",
            Self::SessionReplaced => "SESSION_REPLACED",
            Self::Conflict | Self::DatabaseUnavailable => "DATABASE_UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// Something was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// For programs.
    pub reason: Reason,
    /// For the caller: what was wrong, where, and what to do, in one sentence.
    pub message: String,
    /// For the operator's log only.
    pub internal: Option<String>,
    /// Machine-readable facts for the caller, e.g. `field`.
    pub metadata: Vec<(&'static str, String)>,
}

impl Error {
    /// An error with this reason and sentence.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), internal: None, metadata: Vec::new() }
    }

    /// A field of a request is wrong.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::new(Reason::InvalidArgument, message).with("field", field)
    }

    /// A defect; the caller learns only that there is one.
    pub fn internal(details: impl fmt::Display) -> Self {
        Self {
            internal: Some(details.to_string()),
            ..Self::new(Reason::Internal, "the server failed on this; its log has the details")
        }
    }

    /// Adds a machine-readable fact.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    /// Adds details for the operator.
    pub fn because(mut self, details: impl fmt::Display) -> Self {
        self.internal = Some(details.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.internal {
            Some(internal) => write!(f, "{} ({internal})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}
