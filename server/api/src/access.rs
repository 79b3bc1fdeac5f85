//! Who may call what, and what it does: the one table. An rpc without a row is denied, so a new rpc cannot be open by accident.

use sprout_domain::token::TokenScope;

/// Who may call an rpc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone; a token is not even looked at.
    Anyone,
    /// Any signed-in user. What of the data the user may see is decided by the use case.
    User,
    /// Staff and superusers.
    Staff,
    /// Superusers.
    Superuser,
    /// Workers, with the credentials they were given when they joined.
    Worker,
}

/// What an rpc does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Reads,
    /// Says again and again that someone is there: for those who may change something, but nothing to be remembered.
    Signals,
    /// Changes the caller's own pools and appliances.
    Works,
    /// Changes anything else: accounts, tokens, what the service does.
    Manages,
}

impl Effect {
    /// Whether the call is an audit record.
    pub fn is_recorded(self) -> bool {
        matches!(self, Self::Works | Self::Manages)
    }
}

/// What the table says of an rpc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Who may call it.
    pub access: Access,
    /// What it does.
    pub effect: Effect,
    /// What the token used must at least be for.
    pub scope: TokenScope,
}

/// The row of an rpc, by its path (`/package.Service/Method`); none: nobody may call it.
#[expect(clippy::too_many_lines, reason = "a line for each rpc")]
pub fn row(path: &str) -> Option<Row> {
    let (access, effect) = match path {
        // Load balancers and probes have no token, and learn only that the server is up.
        "/grpc.health.v1.Health/Check"
        | "/grpc.health.v1.Health/Watch"
        // The protos are public, in the repository; clients explore them before they sign in.
        | "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" => (Access::Anyone, Effect::Reads),

        "/sprout.user.v1.UserService/Login"
        // The join token is the proof; it is looked up before anything else is done.
        | "/sprout.worker.v1.WorkerService/Join" => (Access::Anyone, Effect::Manages),

        "/sprout.pool.v1.PoolService/GetPool"
        | "/sprout.pool.v1.PoolService/ListPools"
        | "/sprout.pool.v1.PoolService/WatchPool"
        | "/sprout.pool.v1.PoolService/ExplainPool"
        | "/sprout.appliance.v1.ApplianceService/GetAppliance"
        | "/sprout.appliance.v1.ApplianceService/ListAppliances"
        | "/sprout.appliance.v1.ApplianceService/WatchAppliance"
        | "/sprout.appliance.v1.ApplianceService/WatchApplianceLogs"
        | "/sprout.provider.v1.ProviderService/ListProviders"
        | "/sprout.provider.v1.ProviderService/GetProvider"
        | "/sprout.template.v1.TemplateService/ListTemplates"
        | "/sprout.template.v1.TemplateService/GetTemplate"
        | "/sprout.group.v1.GroupService/ListGroups"
        | "/sprout.group.v1.GroupService/GetGroup"
        | "/sprout.event.v1.EventService/Watch"
        | "/sprout.event.v1.EventService/ListEvents"
        | "/sprout.workflow.v1.WorkflowService/WatchWorkflow"
        | "/sprout.shepherd.v1.ShepherdService/ListShepherds"
        | "/sprout.usage.v1.UsageService/QueryUsage"
        | "/sprout.user.v1.UserGroupService/ListUserGroups"
        | "/sprout.user.v1.UserGroupService/GetUserGroup"
        | "/sprout.user.v1.UserService/WhoAmI"
        | "/sprout.user.v1.UserService/GetUser"
        | "/sprout.user.v1.UserService/ListTokens" => (Access::User, Effect::Reads),

        "/sprout.pool.v1.PoolService/KeepPoolAlive" => (Access::User, Effect::Signals),

        "/sprout.pool.v1.PoolService/RequestPool"
        | "/sprout.pool.v1.PoolService/ExtendPool"
        | "/sprout.pool.v1.PoolService/KillPool"
        | "/sprout.pool.v1.PoolService/DescribePool"
        | "/sprout.pool.v1.PoolService/ClonePool"
        | "/sprout.pool.v1.PoolService/MergePools"
        | "/sprout.pool.v1.PoolService/TransferPool"
        | "/sprout.pool.v1.PoolService/KillPools"
        | "/sprout.appliance.v1.ApplianceService/KillAppliance"
        | "/sprout.appliance.v1.ApplianceService/ExtendAppliance"
        | "/sprout.appliance.v1.ApplianceService/StartAppliance"
        | "/sprout.appliance.v1.ApplianceService/StopAppliance"
        | "/sprout.appliance.v1.ApplianceService/SuspendAppliance"
        | "/sprout.appliance.v1.ApplianceService/ResumeAppliance"
        | "/sprout.appliance.v1.ApplianceService/RebootAppliance"
        | "/sprout.appliance.v1.ApplianceService/RenameAppliance"
        | "/sprout.appliance.v1.ApplianceService/DescribeAppliance"
        | "/sprout.appliance.v1.ApplianceService/HoldAppliance"
        | "/sprout.appliance.v1.ApplianceService/UnholdAppliance"
        | "/sprout.appliance.v1.ApplianceService/ResetAppliance"
        | "/sprout.appliance.v1.ApplianceService/AttachDisk"
        | "/sprout.appliance.v1.ApplianceService/DetachDisk"
        | "/sprout.appliance.v1.ApplianceService/GetConsole" => (Access::User, Effect::Works),

        "/sprout.user.v1.UserService/Logout"
        | "/sprout.user.v1.UserService/LogoutEverywhere"
        | "/sprout.user.v1.UserService/ChangePassword"
        | "/sprout.user.v1.UserService/CreateToken"
        | "/sprout.user.v1.UserService/RevokeToken" => (Access::User, Effect::Manages),

        "/sprout.audit.v1.AuditService/ListRecords"
        | "/sprout.user.v1.UserService/ListUsers"
        | "/sprout.provider.v1.ProviderService/ListMachines"
        | "/sprout.shepherd.v1.ShepherdService/PlanShepherd"
        | "/sprout.stats.v1.StatsService/Query"
        | "/sprout.template.v1.TemplateService/Plan"
        | "/sprout.template.v1.TemplateService/WatchTemplateLogs"
        | "/sprout.config.v1.ConfigService/GetConfigStatus"
        | "/sprout.job.v1.JobService/ListJobs"
        | "/sprout.job.v1.JobService/ListJobRuns"
        | "/sprout.catalogue.v1.CatalogueService/GetStatus"
        | "/sprout.catalogue.v1.CatalogueService/ReadNames"
        | "/sprout.cleanup.v1.CleanupService/ListRules"
        | "/sprout.cleanup.v1.CleanupService/Plan"
        | "/sprout.task.v1.TaskService/ListTasks"
        | "/sprout.task.v1.TaskService/GetTask"
        | "/sprout.task.v1.TaskService/WatchTaskLogs"
        | "/sprout.worker.v1.WorkerService/ListWorkers"
        | "/sprout.worker.v1.WorkerService/ListJoinTokens"
        | "/sprout.worker.v1.WorkerService/GetWorker"
        | "/sprout.workflow.v1.WorkflowService/ListWorkflows"
        | "/sprout.workflow.v1.WorkflowService/GetWorkflow" => (Access::Staff, Effect::Reads),

        "/sprout.provider.v1.ProviderService/CheckProvider"
        | "/sprout.provider.v1.ProviderService/CheckProviders"
        | "/sprout.provider.v1.ProviderService/UpdateProvider"
        | "/sprout.provider.v1.ProviderService/CloseCircuit"
        // Of what does not carry our tag: superusers, which the use case sees to.
        | "/sprout.provider.v1.ProviderService/StartMachine"
        | "/sprout.provider.v1.ProviderService/StopMachine"
        | "/sprout.provider.v1.ProviderService/DeleteMachine"
        | "/sprout.template.v1.TemplateService/ReleaseTemplate"
        | "/sprout.template.v1.TemplateService/DeleteTemplate"
        | "/sprout.template.v1.TemplateService/PrepareTemplate"
        | "/sprout.user.v1.UserService/SetQuota"
        | "/sprout.shepherd.v1.ShepherdService/SetShepherd"
        | "/sprout.catalogue.v1.CatalogueService/Sync"
        | "/sprout.job.v1.JobService/RunJob"
        | "/sprout.job.v1.JobService/PauseJob"
        | "/sprout.job.v1.JobService/ResumeJob"
        | "/sprout.task.v1.TaskService/CancelTask"
        | "/sprout.task.v1.TaskService/RetryTask"
        | "/sprout.worker.v1.WorkerService/DrainWorker"
        | "/sprout.worker.v1.WorkerService/UndrainWorker"
        | "/sprout.worker.v1.WorkerService/RemoveWorker"
        | "/sprout.worker.v1.WorkerService/CreateJoinToken"
        | "/sprout.worker.v1.WorkerService/RevokeJoinTokens"
        | "/sprout.workflow.v1.WorkflowService/CancelWorkflow"
        | "/sprout.workflow.v1.WorkflowService/Ping" => (Access::Staff, Effect::Manages),

        "/sprout.user.v1.UserService/CreateUser"
        | "/sprout.user.v1.UserService/UpdateUser"
        | "/sprout.appliance.v1.ApplianceService/ForgetAppliance"
        | "/sprout.user.v1.UserGroupService/CreateUserGroup"
        | "/sprout.user.v1.UserGroupService/DeleteUserGroup"
        | "/sprout.user.v1.UserGroupService/UpdateUserGroup"
        | "/sprout.cleanup.v1.CleanupService/CreateRule"
        | "/sprout.cleanup.v1.CleanupService/DeleteRule" => (Access::Superuser, Effect::Manages),

        "/sprout.worker.v1.WorkerService/Session" => (Access::Worker, Effect::Signals),

        "/sprout.worker.v1.WorkerService/RenewCertificate" => (Access::Worker, Effect::Manages),

        _ => return None,
    };
    let scope = match effect {
        // Whoever has a token may end it.
        _ if path == "/sprout.user.v1.UserService/Logout" => TokenScope::Read,
        Effect::Reads => TokenScope::Read,
        Effect::Signals | Effect::Works => TokenScope::Use,
        Effect::Manages => TokenScope::Full,
    };
    Some(Row { access, effect, scope })
}
