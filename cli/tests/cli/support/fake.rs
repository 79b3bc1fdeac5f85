//! The canned answers. Which one comes is chosen by the id or group asked for.

mod account;
mod appliance;
mod audit;
mod catalogue;
mod config;
mod fleet;
mod job;
mod shepherd;
mod stats;

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex},
};

use prost_types::{Duration, Timestamp};
use sprout_client::proto::{
    appliance::{Appliance, ApplianceState, Endpoint, PowerState, appliance_service_server::ApplianceServiceServer},
    audit::audit_service_server::AuditServiceServer,
    catalogue::catalogue_service_server::CatalogueServiceServer,
    config::config_service_server::ConfigServiceServer,
    event::{
        self, Event, EventKind, WatchRequest, WatchResponse,
        event_service_server::{EventService, EventServiceServer},
    },
    job::job_service_server::JobServiceServer,
    pool::{
        self, Pool, PoolState, WatchPoolResponse,
        pool_service_server::{PoolService, PoolServiceServer},
    },
    provider::{
        self, Provider,
        provider_service_server::{ProviderService, ProviderServiceServer},
    },
    shepherd::shepherd_service_server::ShepherdServiceServer,
    stats::stats_service_server::StatsServiceServer,
    task::task_service_server::TaskServiceServer,
    usage::usage_service_server::UsageServiceServer,
    user::{
        self, User,
        user_group_service_server::UserGroupServiceServer,
        user_service_server::{UserService, UserServiceServer},
    },
    worker::worker_service_server::WorkerServiceServer,
    workflow::workflow_service_server::WorkflowServiceServer,
};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _, wrappers::TcpListenerStream};
use tonic::{Code, Request, Response, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

type Answer<T> = Result<Response<T>, Status>;
/// What these tests do not ask for.
fn unfaked() -> Status {
    Status::unimplemented("the fake has no answer to this")
}

type Stream_<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Remembers what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    pub(crate) request_ids: Arc<Mutex<Vec<String>>>,
    pub(crate) watches: Arc<Mutex<u32>>,
    pub(crate) kills: Arc<Mutex<Vec<u64>>>,
    /// What was asked for of workers, tasks and workflows, e.g. "drain w1".
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// Workers were listed.
    listed: Arc<tokio::sync::Notify>,
    /// Looks at each workflow.
    looks: Arc<Mutex<HashMap<u64, u32>>>,
}

impl Fake {
    pub(super) async fn serve(self, listener: TcpListener) {
        Server::builder()
            .add_service(PoolServiceServer::new(self.clone()))
            .add_service(ApplianceServiceServer::new(self.clone()))
            .add_service(ProviderServiceServer::new(self.clone()))
            .add_service(UserServiceServer::new(self.clone()))
            .add_service(UserGroupServiceServer::new(self.clone()))
            .add_service(AuditServiceServer::new(self.clone()))
            .add_service(UsageServiceServer::new(self.clone()))
            .add_service(ConfigServiceServer::new(self.clone()))
            .add_service(CatalogueServiceServer::new(self.clone()))
            .add_service(JobServiceServer::new(self.clone()))
            .add_service(TaskServiceServer::new(self.clone()))
            .add_service(WorkerServiceServer::new(self.clone()))
            .add_service(WorkflowServiceServer::new(self.clone()))
            .add_service(ShepherdServiceServer::new(self.clone()))
            .add_service(StatsServiceServer::new(self.clone()))
            .add_service(EventServiceServer::new(self))
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await
            .unwrap();
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn appliance(id: u64, state: ApplianceState, percent: u32) -> Appliance {
    let ready = state == ApplianceState::Ready;
    let endpoint = Endpoint {
        name: "web".into(),
        host: "127.0.0.1".into(),
        port: 8080,
        url: Some("http://127.0.0.1:8080".into()),
    };
    Appliance {
        id,
        name: format!("sprout-demo-{id}"),
        state: state.into(),
        power_state: PowerState::On.into(),
        provider: "docker".into(),
        group: "demo".into(),
        template: "demo:1.2".into(),
        template_id: 1,
        version: "1.2".into(),
        date: "2026-01-02".into(),
        pool_id: Some(1),
        address: ready.then(|| "127.0.0.1".into()),
        endpoints: ready.then_some(endpoint).into_iter().collect(),
        status: "waiting for web".into(),
        created_at: Some(at(1_700_000_000)),
        progress_percent: percent,
        ..Appliance::default()
    }
}

fn pool(id: u64, state: PoolState, ready_count: u32) -> Pool {
    let second = if ready_count == 2 { (ApplianceState::Ready, 100) } else { (ApplianceState::Preparing, 50) };
    Pool {
        id,
        request_id: "00000000-0000-4000-8000-000000000000".into(),
        owner: "alice".into(),
        group: "demo".into(),
        version: "1.2".into(),
        date: "2026-01-02".into(),
        count: 2,
        lease: Some(Duration { seconds: 3600, nanos: 0 }),
        description: "a test".into(),
        state: state.into(),
        status: if state == PoolState::Failed { "no template is left to try".into() } else { String::new() },
        created_at: Some(at(1_700_000_000)),
        progress_percent: 50 * ready_count,
        appliances: vec![appliance(10, ApplianceState::Ready, 100), appliance(11, second.0, second.1)],
        ready_count,
        ..Pool::default()
    }
}

/// Ids from 400 on stand for errors.
fn found(id: u64, state: PoolState) -> Result<Pool, Status> {
    let code = match id {
        0..400 => return Ok(pool(id, state, 2)),
        400 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 => Code::AlreadyExists,
        412 => Code::FailedPrecondition,
        429 => Code::ResourceExhausted,
        503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        _ => Code::Internal,
    };
    let mut details = ErrorDetails::new();
    details.set_error_info("TEST", "sprout", [("id".to_owned(), id.to_string())]);
    Err(Status::with_error_details(code, format!("pool {id} cannot be had"), details))
}

#[tonic::async_trait]
impl PoolService for Fake {
    async fn request_pool(&self, request: Request<pool::RequestPoolRequest>) -> Answer<pool::RequestPoolResponse> {
        let request = request.into_inner();
        let seen = {
            let mut seen = self.request_ids.lock().unwrap();
            seen.push(request.request_id);
            seen.len()
        };
        let id = match request.group.as_str() {
            "lost" if seen < 3 => return Err(Status::unavailable("going down")),
            "good" | "lost" => 1,
            "failing" => 2,
            "breaking" => 3,
            "slow" => 4,
            "lasting" => 5,
            "unserved" => 412,
            _ => 404,
        };
        let pool = found(id, PoolState::Provisioning)?;
        Ok(Response::new(pool::RequestPoolResponse { pool: Some(pool), repeated_request: false }))
    }

    async fn get_pool(&self, request: Request<pool::GetPoolRequest>) -> Answer<pool::GetPoolResponse> {
        let pool = found(request.into_inner().id, PoolState::Ready)?;
        Ok(Response::new(pool::GetPoolResponse { pool: Some(pool) }))
    }

    async fn list_pools(&self, request: Request<pool::ListPoolsRequest>) -> Answer<pool::ListPoolsResponse> {
        let request = request.into_inner();
        let page = |id, next: &str| {
            let pools = vec![Pool { appliances: Vec::new(), ..pool(id, PoolState::Ready, 2) }];
            Ok(Response::new(pool::ListPoolsResponse { pools, next_page_token: next.to_owned() }))
        };
        match (request.owner.as_deref(), request.page_token.as_str()) {
            (Some("nobody"), _) => Ok(Response::new(pool::ListPoolsResponse::default())),
            (_, "") => page(2, "more"),
            _ => page(1, ""),
        }
    }

    type WatchPoolStream = Stream_<WatchPoolResponse>;

    async fn watch_pool(&self, request: Request<pool::WatchPoolRequest>) -> Answer<Self::WatchPoolStream> {
        let id = request.into_inner().id;
        found(id, PoolState::Ready)?;
        let watches = {
            let mut watches = self.watches.lock().unwrap();
            *watches += 1;
            *watches
        };
        let say = |state, ready, message: &str| {
            Ok(WatchPoolResponse { pool: Some(pool(id, state, ready)), message: message.to_owned() })
        };
        let first = say(PoolState::Provisioning, 1, "appliance 10 is ready");
        let rest = match id {
            2 => vec![say(PoolState::Failed, 1, "")],
            3 if watches == 1 => vec![Err(Status::unavailable("the server is restarting"))],
            _ => vec![say(PoolState::Ready, 2, "pool is ready"), say(PoolState::Ended, 0, "pool ended")],
        };
        let messages = tokio_stream::iter(std::iter::once(first).chain(rest));
        // 4 never gets ready, and 5 stays so.
        if id == 4 || id == 5 {
            let said = if id == 4 { 1 } else { 2 };
            return Ok(Response::new(Box::pin(messages.take(said).chain(tokio_stream::pending()))));
        }
        Ok(Response::new(Box::pin(messages)))
    }

    async fn extend_pool(&self, request: Request<pool::ExtendPoolRequest>) -> Answer<pool::ExtendPoolResponse> {
        let pool = found(request.into_inner().id, PoolState::Ready)?;
        Ok(Response::new(pool::ExtendPoolResponse { pool: Some(pool) }))
    }

    async fn kill_pool(&self, request: Request<pool::KillPoolRequest>) -> Answer<pool::KillPoolResponse> {
        let id = request.into_inner().id;
        self.kills.lock().unwrap().push(id);
        if self.asked.lock().unwrap().iter().any(|asked| asked == "kills hang") {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(pool::KillPoolResponse { pool: Some(found(id, PoolState::Ending)?) }))
    }

    async fn explain_pool(&self, request: Request<pool::ExplainPoolRequest>) -> Answer<pool::ExplainPoolResponse> {
        let reason = pool::WaitReason {
            kind: pool::WaitReasonKind::NotYet.into(),
            code: "NO_SLOT".to_owned(),
            message: "lab: all 5 deployments that are allowed at once are under way".to_owned(),
            provider: Some("lab".to_owned()),
            until: None,
        };
        Ok(Response::new(pool::ExplainPoolResponse {
            pool: Some(found(request.into_inner().id, PoolState::Waiting)?),
            position: Some(3),
            ready_in: Some(prost_types::Duration { seconds: 95, nanos: 0 }),
            basis: "the last deployments of app took 60 s (median)".to_owned(),
            reasons: vec![reason],
        }))
    }

    async fn keep_pool_alive(&self, _: Request<pool::KeepPoolAliveRequest>) -> Answer<pool::KeepPoolAliveResponse> {
        Ok(Response::new(pool::KeepPoolAliveResponse { alive_until: None }))
    }

    async fn describe_pool(&self, request: Request<pool::DescribePoolRequest>) -> Answer<pool::DescribePoolResponse> {
        let request = request.into_inner();
        let pool = Pool { description: request.description, ..found(request.id, PoolState::Ready)? };
        Ok(Response::new(pool::DescribePoolResponse { pool: Some(pool) }))
    }

    async fn clone_pool(&self, request: Request<pool::ClonePoolRequest>) -> Answer<pool::ClonePoolResponse> {
        let request = request.into_inner();
        self.request_ids.lock().unwrap().push(request.request_id);
        found(request.id, PoolState::Ready)?;
        // That of 4 is never ready.
        let id = if request.id == 4 { 4 } else { 1 };
        let pool = Pool { count: request.count.unwrap_or(2), ..found(id, PoolState::Provisioning)? };
        Ok(Response::new(pool::ClonePoolResponse { pool: Some(pool), repeated_request: request.id == 3 }))
    }

    async fn merge_pools(&self, request: Request<pool::MergePoolsRequest>) -> Answer<pool::MergePoolsResponse> {
        let request = request.into_inner();
        if request.source_id == 412 {
            let says = "pools 1 and 412 differ in version: 1.2 and 1.1; only pools that are alike can be merged";
            return Err(fleet::refused(Code::FailedPrecondition, "POOLS_DIFFER", says));
        }
        self.asked.lock().unwrap().push(format!("merge {} into {}", request.source_id, request.target_id));
        let pool = Pool { count: 4, ready_count: 4, ..found(request.target_id, PoolState::Ready)? };
        Ok(Response::new(pool::MergePoolsResponse { pool: Some(pool) }))
    }

    async fn transfer_pool(&self, request: Request<pool::TransferPoolRequest>) -> Answer<pool::TransferPoolResponse> {
        let request = request.into_inner();
        if request.owner != "bob" {
            let says = format!("there is no user {}; check the spelling", request.owner);
            return Err(fleet::refused(Code::NotFound, "USER_NOT_FOUND", &says));
        }
        let pool = Pool { owner: request.owner, ..found(request.id, PoolState::Ready)? };
        Ok(Response::new(pool::TransferPoolResponse { pool: Some(pool) }))
    }

    async fn kill_pools(&self, request: Request<pool::KillPoolsRequest>) -> Answer<pool::KillPoolsResponse> {
        let owner = request.into_inner().owner;
        self.asked.lock().unwrap().push(format!("kill all of {owner:?}"));
        let pools = if owner.as_deref() == Some("nobody") {
            Vec::new()
        } else {
            vec![Pool { appliances: Vec::new(), ..pool(1, PoolState::Ending, 0) }]
        };
        Ok(Response::new(pool::KillPoolsResponse { pools }))
    }
}

#[tonic::async_trait]
impl ProviderService for Fake {
    async fn list_providers(
        &self,
        request: Request<provider::ListProvidersRequest>,
    ) -> Answer<provider::ListProvidersResponse> {
        let mut providers = vec![docker("docker")];
        if fleet::is_staff(&request) {
            providers.push(docker("broken"));
        }
        Ok(Response::new(provider::ListProvidersResponse { providers }))
    }

    async fn get_provider(
        &self,
        request: Request<provider::GetProviderRequest>,
    ) -> Answer<provider::GetProviderResponse> {
        match request.into_inner().key.as_str() {
            key @ ("docker" | "broken") => {
                Ok(Response::new(provider::GetProviderResponse { provider: Some(docker(key)) }))
            }
            key => Err(Status::not_found(format!("there is no provider `{key}`"))),
        }
    }

    async fn check_provider(
        &self,
        request: Request<provider::CheckProviderRequest>,
    ) -> Answer<provider::CheckProviderResponse> {
        // Workflow 7 ends, 8 does not.
        let workflow_id = if request.into_inner().key == "slow" { 8 } else { 7 };
        Ok(Response::new(provider::CheckProviderResponse { workflow_id }))
    }

    async fn check_providers(
        &self,
        _: Request<provider::CheckProvidersRequest>,
    ) -> Answer<provider::CheckProvidersResponse> {
        Ok(Response::new(provider::CheckProvidersResponse { workflow: Some(fleet::checks(2)) }))
    }

    async fn update_provider(
        &self,
        request: Request<provider::UpdateProviderRequest>,
    ) -> Answer<provider::UpdateProviderResponse> {
        let provider::UpdateProviderRequest { key, disabled, hidden } = request.into_inner();
        self.asked.lock().unwrap().push(format!("{key} disabled {disabled:?} hidden {hidden:?}"));
        let changed =
            Provider { disabled: disabled.unwrap_or_default(), hidden: hidden.unwrap_or_default(), ..docker(&key) };
        Ok(Response::new(provider::UpdateProviderResponse { provider: Some(changed) }))
    }

    async fn close_circuit(
        &self,
        request: Request<provider::CloseCircuitRequest>,
    ) -> Answer<provider::CloseCircuitResponse> {
        let provider = Some(docker(&request.into_inner().key));
        Ok(Response::new(provider::CloseCircuitResponse { provider }))
    }

    async fn list_machines(&self, _: Request<provider::ListMachinesRequest>) -> Answer<provider::ListMachinesResponse> {
        Err(unfaked())
    }

    async fn start_machine(
        &self,
        request: Request<provider::StartMachineRequest>,
    ) -> Answer<provider::StartMachineResponse> {
        let provider::StartMachineRequest { provider, name } = request.into_inner();
        self.asked.lock().unwrap().push(format!("start {name} on {provider}"));
        Ok(Response::new(provider::StartMachineResponse { workflow_id: 60 }))
    }

    async fn stop_machine(
        &self,
        request: Request<provider::StopMachineRequest>,
    ) -> Answer<provider::StopMachineResponse> {
        let provider::StopMachineRequest { provider, name } = request.into_inner();
        self.asked.lock().unwrap().push(format!("stop {name} on {provider}"));
        Ok(Response::new(provider::StopMachineResponse { workflow_id: 60 }))
    }

    async fn delete_machine(
        &self,
        request: Request<provider::DeleteMachineRequest>,
    ) -> Answer<provider::DeleteMachineResponse> {
        let provider::DeleteMachineRequest { provider, name, confirm_name } = request.into_inner();
        self.asked.lock().unwrap().push(format!("delete {name} on {provider} as {confirm_name}"));
        Ok(Response::new(provider::DeleteMachineResponse { workflow_id: 61 }))
    }
}

#[tonic::async_trait]
impl EventService for Fake {
    type WatchStream = Stream_<WatchResponse>;

    async fn watch(&self, request: Request<WatchRequest>) -> Answer<Self::WatchStream> {
        if request.into_inner().kinds.contains(&EventKind::WorkerState.into()) {
            let start = tokio_stream::once(Ok(WatchResponse { sequence: 4, event: None }));
            let listed = self.listed.clone();
            let later = tokio_stream::once(()).then(move |()| {
                let listed = listed.clone();
                async move {
                    listed.notified().await;
                    let event = Event { sequence: 5, kind: EventKind::WorkerState.into(), ..Event::default() };
                    Ok(WatchResponse { sequence: 5, event: Some(event) })
                }
            });
            return Ok(Response::new(Box::pin(start.chain(later).chain(tokio_stream::pending()))));
        }
        let event = |sequence, key: &str, workflow_id| Event {
            sequence,
            kind: EventKind::ProviderChecked.into(),
            provider: Some(key.to_owned()),
            workflow_id: Some(workflow_id),
            happened_at: Some(at(1_700_000_000)),
            message: format!("provider {key} was checked"),
            ..Event::default()
        };
        let said = [None, Some(event(5, "docker", 6)), Some(event(6, "docker", 7)), Some(event(7, "broken", 7))];
        let said = said.map(|event| Ok(WatchResponse { sequence: event.as_ref().map_or(4, |e| e.sequence), event }));
        Ok(Response::new(Box::pin(tokio_stream::iter(said).chain(tokio_stream::pending()))))
    }

    async fn list_events(&self, request: Request<event::ListEventsRequest>) -> Answer<event::ListEventsResponse> {
        let request = request.into_inner();
        let event = |sequence, kind: EventKind, state: Option<&str>, message: &str| Event {
            sequence,
            kind: kind.into(),
            pool_id: request.pool_id.or(Some(1)),
            appliance_id: request.appliance_id,
            user: Some("alice".to_owned()),
            state: state.map(str::to_owned),
            happened_at: Some(at(1_700_000_000)),
            message: message.to_owned(),
            ..Event::default()
        };
        let mut events = vec![
            event(9, EventKind::PoolState, Some("ready"), "pool 1 is ready"),
            event(4, EventKind::PoolRequested, None, "alice requested 2 of demo"),
        ];
        events.retain(|event| request.kinds.is_empty() || request.kinds.contains(&event.kind));
        Ok(Response::new(event::ListEventsResponse { events, next_page_token: String::new() }))
    }
}

fn docker(key: &str) -> Provider {
    Provider {
        key: key.into(),
        name: "Docker here".into(),
        r#type: "container".into(),
        working: key == "docker",
        status: "engine 26.1".into(),
        provisioning_limit: 4,
        provisioning_count: 1,
        appliance_limit: Some(20),
        appliance_count: 3,
        template_count: 2,
        ..Provider::default()
    }
}

fn alice() -> User {
    User {
        id: 1,
        name: "alice".into(),
        role: user::Role::User.into(),
        created_at: Some(at(1_700_000_000)),
        ..User::default()
    }
}

#[tonic::async_trait]
impl UserService for Fake {
    async fn login(&self, request: Request<user::LoginRequest>) -> Answer<user::LoginResponse> {
        let request = request.into_inner();
        if (request.name.as_str(), request.password.as_str()) != ("alice", "correct horse") {
            return Err(Status::unauthenticated("name and password do not match"));
        }
        Ok(Response::new(user::LoginResponse { token: "good".into(), expires_at: None, user: Some(alice()) }))
    }

    async fn who_am_i(&self, request: Request<user::WhoAmIRequest>) -> Answer<user::WhoAmIResponse> {
        match request.metadata().get("authorization").map(|value| value.to_str().unwrap()) {
            Some("Bearer good") => Ok(Response::new(user::WhoAmIResponse {
                user: Some(alice()),
                expires_at: None,
                server_version: "0.1.0".into(),
                ..user::WhoAmIResponse::default()
            })),
            _ => Err(Status::unauthenticated("the token is not valid")),
        }
    }

    async fn logout(&self, _: Request<user::LogoutRequest>) -> Answer<user::LogoutResponse> {
        Ok(Response::new(user::LogoutResponse {}))
    }

    async fn logout_everywhere(
        &self,
        request: Request<user::LogoutEverywhereRequest>,
    ) -> Answer<user::LogoutEverywhereResponse> {
        match request.metadata().get("authorization").map(|value| value.to_str().unwrap()) {
            Some("Bearer good") => Ok(Response::new(user::LogoutEverywhereResponse { count: 3 })),
            _ => Err(Status::unauthenticated("the token is not valid")),
        }
    }

    async fn create_user(&self, request: Request<user::CreateUserRequest>) -> Answer<user::CreateUserResponse> {
        let request = request.into_inner();
        let user = User { id: 2, name: request.name, role: request.role, ..User::default() };
        Ok(Response::new(user::CreateUserResponse { user: Some(user) }))
    }

    async fn change_password(
        &self,
        request: Request<user::ChangePasswordRequest>,
    ) -> Answer<user::ChangePasswordResponse> {
        account::change_password(request.into_inner())
    }

    async fn create_token(&self, request: Request<user::CreateTokenRequest>) -> Answer<user::CreateTokenResponse> {
        account::create_token(request.into_inner())
    }

    async fn list_tokens(&self, _: Request<user::ListTokensRequest>) -> Answer<user::ListTokensResponse> {
        account::list_tokens()
    }

    async fn revoke_token(&self, request: Request<user::RevokeTokenRequest>) -> Answer<user::RevokeTokenResponse> {
        self.asked.lock().unwrap().push(format!("revoke {}", request.into_inner().id));
        Ok(Response::new(user::RevokeTokenResponse {}))
    }

    async fn list_users(&self, _: Request<user::ListUsersRequest>) -> Answer<user::ListUsersResponse> {
        account::list_users()
    }

    async fn get_user(&self, _: Request<user::GetUserRequest>) -> Answer<user::GetUserResponse> {
        account::get_user()
    }

    async fn update_user(&self, request: Request<user::UpdateUserRequest>) -> Answer<user::UpdateUserResponse> {
        account::update_user(request.into_inner())
    }

    async fn set_quota(&self, request: Request<user::SetQuotaRequest>) -> Answer<user::SetQuotaResponse> {
        account::set_quota(request.into_inner())
    }
}
