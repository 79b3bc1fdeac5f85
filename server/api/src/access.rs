//! Who may call what: the one table. An rpc without a row is denied, so a new rpc cannot be open by accident.

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

/// The row of an rpc, by its path (`/package.Service/Method`); none: nobody may call it.
pub fn access(path: &str) -> Option<Access> {
    match path {
        // Load balancers and probes have no token, and learn only that the server is up.
        "/grpc.health.v1.Health/Check" | "/grpc.health.v1.Health/Watch"
        // The protos are public, in the repository; clients explore them before they sign in.
        | "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        | "/sprout.user.v1.UserService/Login"
        // The join token is the proof; it is looked up before anything else is done.
        | "/sprout.worker.v1.WorkerService/Join" => Some(Access::Anyone),

        "/sprout.pool.v1.PoolService/RequestPool"
        | "/sprout.pool.v1.PoolService/GetPool"
        | "/sprout.pool.v1.PoolService/ListPools"
        | "/sprout.pool.v1.PoolService/WatchPool"
        | "/sprout.pool.v1.PoolService/ExtendPool"
        | "/sprout.pool.v1.PoolService/KillPool"
        | "/sprout.appliance.v1.ApplianceService/GetAppliance"
        | "/sprout.appliance.v1.ApplianceService/ListAppliances"
        | "/sprout.appliance.v1.ApplianceService/KillAppliance"
        | "/sprout.appliance.v1.ApplianceService/ExtendAppliance"
        | "/sprout.appliance.v1.ApplianceService/WatchApplianceLogs"
        | "/sprout.provider.v1.ProviderService/ListProviders"
        | "/sprout.provider.v1.ProviderService/GetProvider"
        | "/sprout.template.v1.TemplateService/ListTemplates"
        | "/sprout.group.v1.GroupService/ListGroups"
        | "/sprout.group.v1.GroupService/GetGroup"
        | "/sprout.event.v1.EventService/Watch"
        | "/sprout.user.v1.UserService/WhoAmI"
        | "/sprout.user.v1.UserService/Logout" => Some(Access::User),

        "/sprout.provider.v1.ProviderService/CheckProvider"
        | "/sprout.provider.v1.ProviderService/CheckProviders"
        | "/sprout.task.v1.TaskService/ListTasks"
        | "/sprout.task.v1.TaskService/GetTask"
        | "/sprout.task.v1.TaskService/CancelTask"
        | "/sprout.task.v1.TaskService/RetryTask"
        | "/sprout.task.v1.TaskService/WatchTaskLogs"
        | "/sprout.worker.v1.WorkerService/ListWorkers"
        | "/sprout.worker.v1.WorkerService/GetWorker"
        | "/sprout.worker.v1.WorkerService/DrainWorker"
        | "/sprout.worker.v1.WorkerService/UndrainWorker"
        | "/sprout.worker.v1.WorkerService/RemoveWorker"
        | "/sprout.worker.v1.WorkerService/CreateJoinToken"
        | "/sprout.workflow.v1.WorkflowService/ListWorkflows"
        | "/sprout.workflow.v1.WorkflowService/GetWorkflow"
        | "/sprout.workflow.v1.WorkflowService/CancelWorkflow"
        | "/sprout.workflow.v1.WorkflowService/Ping" => Some(Access::Staff),

        "/sprout.user.v1.UserService/CreateUser" => Some(Access::Superuser),

        "/sprout.worker.v1.WorkerService/Session"
        | "/sprout.worker.v1.WorkerService/RenewCertificate" => Some(Access::Worker),

        _ => None,
    }
}
