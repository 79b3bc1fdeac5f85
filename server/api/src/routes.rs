//! All services behind the one gate, ready to be served.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::{
    appliance::appliance_service_server as appliance, audit::audit_service_server as audit,
    catalogue::catalogue_service_server as catalogue, cleanup::cleanup_service_server as cleanup,
    config::config_service_server as config, event::event_service_server as event,
    group::group_service_server as group, job::job_service_server as job, pool::pool_service_server as pool,
    provider::provider_service_server as provider, shepherd::shepherd_service_server as shepherd,
    stats::stats_service_server as stats, task::task_service_server as task,
    template::template_service_server as template, usage::usage_service_server as usage,
    user::user_group_service_server as user_group, user::user_service_server as user,
    worker::worker_service_server as worker, workflow::workflow_service_server as workflow,
};
use tonic::service::Routes;
use tower::layer::layer_fn;

use crate::{
    appliance::ApplianceApi,
    audit::AuditApi,
    catalogue::CatalogueApi,
    cleanup::CleanupApi,
    config::ConfigApi,
    drain::Drain,
    event::EventApi,
    gate::Gate,
    group::GroupApi,
    guess::Guesses,
    job::JobApi,
    meter::Meter,
    peer::Forwarders,
    pool::PoolApi,
    provider::ProviderApi,
    shepherd::ShepherdApi,
    stats::StatsApi,
    task::TaskApi,
    template::TemplateApi,
    usage::UsageApi,
    user::UserApi,
    user_group::UserGroupApi,
    worker::{SessionHandler, WorkerApi},
    workflow::WorkflowApi,
};

/// Bytes of one message from a client.
pub(crate) const MAX_REQUEST: usize = 4 << 20;
/// Bytes of one message from a worker. Listings of providers are the only ones that come near: 16 MiB are some 60,000 machines.
const MAX_SAID: usize = 16 << 20;

const SERVICES: [&str; 20] = [
    "", // the server as a whole
    appliance::SERVICE_NAME,
    audit::SERVICE_NAME,
    catalogue::SERVICE_NAME,
    cleanup::SERVICE_NAME,
    config::SERVICE_NAME,
    event::SERVICE_NAME,
    group::SERVICE_NAME,
    job::SERVICE_NAME,
    pool::SERVICE_NAME,
    provider::SERVICE_NAME,
    shepherd::SERVICE_NAME,
    stats::SERVICE_NAME,
    task::SERVICE_NAME,
    template::SERVICE_NAME,
    usage::SERVICE_NAME,
    user::SERVICE_NAME,
    user_group::SERVICE_NAME,
    worker::SERVICE_NAME,
    workflow::SERVICE_NAME,
];

/// The API, to be served.
#[derive(Debug)]
pub struct Api {
    /// All services, authentication included: `Server::builder().add_routes(routes)`.
    pub routes: Routes,
    /// For the end of the server. Health watches of clients do not end with it: bound the time a graceful end may take.
    pub drain: Drain,
    /// Calls so far.
    pub meter: Meter,
}

/// Puts the API together. `version` is that of the program that serves; `forwarders` are believed for whom they call.
pub async fn api(
    app: Arc<App>,
    sessions: impl SessionHandler,
    version: &str,
    forwarders: Forwarders,
) -> Result<Api, tonic_reflection::server::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let drain = Drain::new(reporter, SERVICES.to_vec()).await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(sprout_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let forwarders = Arc::new(forwarders);
    let (gate, app, draining) = (app.clone(), || app.clone(), || drain.watch());
    let routes = Routes::new(health)
        .add_service(reflection)
        .add_service(
            pool::PoolServiceServer::new(PoolApi { app: app(), draining: draining() })
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            appliance::ApplianceServiceServer::new(ApplianceApi { app: app(), draining: draining() })
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            provider::ProviderServiceServer::new(ProviderApi { app: app() }).max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            template::TemplateServiceServer::new(TemplateApi { app: app(), draining: draining() })
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(group::GroupServiceServer::new(GroupApi { app: app() }).max_decoding_message_size(MAX_REQUEST))
        .add_service(
            user::UserServiceServer::new(UserApi {
                app: app(),
                version: version.to_owned(),
                guesses: Guesses::default(),
            })
            .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            event::EventServiceServer::new(EventApi { app: app(), draining: draining() })
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            task::TaskServiceServer::new(TaskApi { app: app(), draining: draining() })
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            workflow::WorkflowServiceServer::new(WorkflowApi { app: app(), draining: draining() })
                .max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(audit::AuditServiceServer::new(AuditApi { app: app() }).max_decoding_message_size(MAX_REQUEST))
        .add_service(
            catalogue::CatalogueServiceServer::new(CatalogueApi { app: app() }).max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            cleanup::CleanupServiceServer::new(CleanupApi { app: app() }).max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(config::ConfigServiceServer::new(ConfigApi { app: app() }).max_decoding_message_size(MAX_REQUEST))
        .add_service(job::JobServiceServer::new(JobApi { app: app() }).max_decoding_message_size(MAX_REQUEST))
        .add_service(
            shepherd::ShepherdServiceServer::new(ShepherdApi { app: app() }).max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(stats::StatsServiceServer::new(StatsApi { app: app() }).max_decoding_message_size(MAX_REQUEST))
        .add_service(usage::UsageServiceServer::new(UsageApi { app: app() }).max_decoding_message_size(MAX_REQUEST))
        .add_service(
            user_group::UserGroupServiceServer::new(UserGroupApi { app: app() }).max_decoding_message_size(MAX_REQUEST),
        )
        .add_service(
            worker::WorkerServiceServer::new(WorkerApi { app: app(), sessions }).max_decoding_message_size(MAX_SAID),
        );
    let meter = Meter::default();
    let metered = meter.clone();
    let layer = layer_fn(move |inner| Gate::new(gate.clone(), forwarders.clone(), metered.clone(), inner));
    Ok(Api { routes: routes.into_axum_router().layer(layer).into(), drain, meter })
}
