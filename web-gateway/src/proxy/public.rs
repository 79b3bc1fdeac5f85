//! Which rpcs browsers may call: everything but what is for workers, and what deals in tokens that no script should see.

/// Services for browsers, in `sprout.<area>.v1`.
const SERVICES: &[&str] = &[
    "sprout.appliance.v1.ApplianceService",
    "sprout.audit.v1.AuditService",
    "sprout.catalogue.v1.CatalogueService",
    "sprout.cleanup.v1.CleanupService",
    "sprout.config.v1.ConfigService",
    "sprout.event.v1.EventService",
    "sprout.group.v1.GroupService",
    "sprout.job.v1.JobService",
    "sprout.pool.v1.PoolService",
    "sprout.provider.v1.ProviderService",
    "sprout.shepherd.v1.ShepherdService",
    "sprout.stats.v1.StatsService",
    "sprout.task.v1.TaskService",
    "sprout.template.v1.TemplateService",
    "sprout.usage.v1.UsageService",
    "sprout.user.v1.UserGroupService",
    "sprout.user.v1.UserService",
    "sprout.worker.v1.WorkerService",
    "sprout.workflow.v1.WorkflowService",
];

/// Of these services, what is not for browsers. Sessions begin and end at `/session`, which keeps the token to itself.
const OTHERS: &[(&str, &str)] = &[
    ("sprout.user.v1.UserService", "Login"),
    ("sprout.user.v1.UserService", "Logout"),
    ("sprout.worker.v1.WorkerService", "Join"),
    ("sprout.worker.v1.WorkerService", "RenewCertificate"),
    ("sprout.worker.v1.WorkerService", "Session"),
];

/// Whether browsers may call what is at this path (`/package.Service/Method`). Whether there is such a method, the server says.
pub(super) fn is_public(path: &str) -> bool {
    let Some((service, method)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else { return false };
    let is_name = !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric());
    is_name && SERVICES.contains(&service) && !OTHERS.contains(&(service, method))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::DescriptorPool;
    use sprout_client::proto::DESCRIPTORS;

    use super::*;

    #[test]
    fn every_rpc_is_public_or_said_not_to_be() {
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        let (mut services, mut methods) = (BTreeSet::new(), BTreeSet::new());
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let other = OTHERS.contains(&(service.full_name(), method.name()));
                assert!(
                    is_public(&path) != other,
                    "{path}: a new service goes into SERVICES, or its methods into OTHERS"
                );
                assert!(other || !method.is_client_streaming(), "{path}: browsers cannot stream");
                methods.insert(path);
            }
            services.insert(service.full_name().to_owned());
        }
        assert!(SERVICES.iter().all(|service| services.contains(*service)));
        assert!(OTHERS.iter().all(|(service, method)| methods.contains(&format!("/{service}/{method}"))));
    }

    #[test]
    fn nothing_else_is() {
        for path in [
            "/grpc.health.v1.Health/Check",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/sprout.provider.v1.DriverService/Deploy",
            "/sprout.sim.v1.SimService/Set",
            "/sprout.pool.v1.PoolService/",
            "/sprout.pool.v1.PoolService/GetPool/x",
            "/sprout.pool.v1.PoolService/Get%50ool",
            "//sprout.pool.v1.PoolService/GetPool",
            "sprout.pool.v1.PoolService/GetPool",
            "/sprout.pool.v1.PoolService",
            "/",
        ] {
            assert!(!is_public(path), "{path}");
        }
    }
}
