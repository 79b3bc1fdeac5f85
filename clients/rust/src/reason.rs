//! What exactly a server refuses, as a type: programs match on it, never on text.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $wire:literal;)*) => {
        /// What exactly was refused. Newer servers may send others: see [`crate::ClientError::reason`] for their names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All that this client knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $wire,)*
                }
            }
        }
    };
}

reasons! {
    /// A field of the request is wrong; [`crate::Refusal::fields`] says which.
    InvalidArgument = "INVALID_ARGUMENT";
    /// There is no such pool, or none the caller may see.
    PoolNotFound = "POOL_NOT_FOUND";
    /// There is no such appliance, or none the caller may see.
    ApplianceNotFound = "APPLIANCE_NOT_FOUND";
    /// There is no such provider, or none the caller may see.
    ProviderNotFound = "PROVIDER_NOT_FOUND";
    /// There is no such template, or none the caller may see.
    TemplateNotFound = "TEMPLATE_NOT_FOUND";
    /// There is no such group.
    GroupNotFound = "GROUP_NOT_FOUND";
    /// There is no such user, or none the caller may see.
    UserNotFound = "USER_NOT_FOUND";
    /// There is no such user group, or none the caller may see.
    UserGroupNotFound = "USER_GROUP_NOT_FOUND";
    /// There is no such worker, or it was removed.
    WorkerNotFound = "WORKER_NOT_FOUND";
    /// There is no such workflow, or it was pruned.
    WorkflowNotFound = "WORKFLOW_NOT_FOUND";
    /// The workflow must run to its end.
    WorkflowNotCancellable = "WORKFLOW_NOT_CANCELLABLE";
    /// There is no such task, or it was pruned.
    TaskNotFound = "TASK_NOT_FOUND";
    /// No worker runs the task.
    TaskNotRunning = "TASK_NOT_RUNNING";
    /// The task does not wait for its next try.
    TaskNotRetrying = "TASK_NOT_RETRYING";
    /// There is no such job.
    JobNotFound = "JOB_NOT_FOUND";
    /// A catalogue could not be read whole.
    CatalogueUnreadable = "CATALOGUE_UNREADABLE";
    /// There is no such clean-up rule.
    RuleNotFound = "RULE_NOT_FOUND";
    /// The last listing of the provider shows no such machine.
    MachineNotFound = "MACHINE_NOT_FOUND";
    /// The request id was used for a different request.
    RequestIdReused = "REQUEST_ID_REUSED";
    /// A user of that name exists.
    UserExists = "USER_EXISTS";
    /// A user group of that name exists.
    UserGroupExists = "USER_GROUP_EXISTS";
    /// The caller has a token of that name.
    TokenExists = "TOKEN_EXISTS";
    /// There is no such token, or none the caller may see.
    TokenNotFound = "TOKEN_NOT_FOUND";
    /// Nobody would be left who may do everything.
    LastSuperuser = "LAST_SUPERUSER";
    /// The user may not sign in.
    UserDisabled = "USER_DISABLED";
    /// The token used is not for this.
    ScopeTooNarrow = "SCOPE_TOO_NARROW";
    /// The user may not choose memory and CPUs of appliances.
    OverrideNotAllowed = "OVERRIDE_NOT_ALLOWED";
    /// No template fits the request, and none will without someone's doing.
    NoTemplate = "NO_TEMPLATE";
    /// The provider asked for is disabled or failed its last check.
    ProviderNotUsable = "PROVIDER_NOT_USABLE";
    /// The subject is in a state in which this cannot be done.
    WrongState = "WRONG_STATE";
    /// More than the user's quota allows; the metadata says which, its limit, and what is used of it.
    QuotaExceeded = "QUOTA_EXCEEDED";
    /// Something else is under way with the subject; metadata `workflow_id` says what.
    Busy = "BUSY";
    /// The provider cannot do this.
    Unsupported = "UNSUPPORTED";
    /// Something else on the provider has that name.
    NameTaken = "NAME_TAKEN";
    /// The lease asked for is longer than the group allows; metadata `max_seconds` says how long it may be.
    LeaseTooLong = "LEASE_TOO_LONG";
    /// The two pools cannot become one; metadata `field` says in what they differ.
    PoolsDiffer = "POOLS_DIFFER";
    /// The user holds as many appliances as one may.
    HoldLimit = "HOLD_LIMIT";
    /// No, or a bad, or an expired token.
    NotSignedIn = "NOT_SIGNED_IN";
    /// Name and password do not match.
    WrongPassword = "WRONG_PASSWORD";
    /// Too many wrong passwords were tried; `retry_seconds` says when to come back.
    TooManyAttempts = "TOO_MANY_ATTEMPTS";
    /// There is no such join token, or it was deleted with its worker.
    JoinTokenUnknown = "JOIN_TOKEN_UNKNOWN";
    /// The join token was made too long ago.
    JoinTokenExpired = "JOIN_TOKEN_EXPIRED";
    /// A worker has joined with the join token already.
    JoinTokenUsed = "JOIN_TOKEN_USED";
    /// A worker called over TLS without a certificate.
    CertificateRequired = "CERTIFICATE_REQUIRED";
    /// The caller's role does not allow this.
    NotAllowed = "NOT_ALLOWED";
    /// The watch must resume from an older point than is kept, or fell too far behind.
    WatchTooOld = "WATCH_TOO_OLD";
    /// A message came where the protocol does not allow it.
    OutOfOrder = "OUT_OF_ORDER";
    /// A newer session of the same worker took the place of this one.
    SessionReplaced = "SESSION_REPLACED";
    /// The database cannot be reached, is full or read-only; try again later.
    DatabaseUnavailable = "DATABASE_UNAVAILABLE";
    /// A defect of the server, whose log says more.
    Internal = "INTERNAL";
    /// The server is stopping; another one, or the next, answers.
    ServerDraining = "SERVER_DRAINING";
    /// The call was not done in time, and may or may not have taken effect.
    DeadlineExceeded = "DEADLINE_EXCEEDED";
    /// The server does not know this call: it is of another version.
    UnknownRpc = "UNKNOWN_RPC";
    /// The request is larger than servers read.
    MessageTooLarge = "MESSAGE_TOO_LARGE";
}

impl Reason {
    /// The reason of this name on the wire, if it is known here.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
