//! `WorkerService`: workers as staff see and manage them, and the door to their sessions, which are held elsewhere.

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use sprout_app::App;
use sprout_domain::WorkerId;
use sprout_proto::worker::{self as proto, worker_service_server::WorkerService};
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::{
    auth,
    convert::{
        Wire,
        join::{Join, NewJoinToken},
        text,
    },
    status::status,
};

/// What a worker says.
pub type SessionRequests = Pin<Box<dyn Stream<Item = Result<proto::SessionRequest, Status>> + Send>>;
/// What a worker is told.
pub type SessionResponses = Pin<Box<dyn Stream<Item = Result<proto::SessionResponse, Status>> + Send>>;

/// Whoever holds the sessions of workers.
#[async_trait]
pub trait SessionHandler: Send + Sync + 'static {
    /// Begins a session of this worker, proven by its token. Returns at once; what the worker says is read by the stream
    /// returned or by a task of the handler's. The handler ends the stream when the server leaves.
    async fn session(&self, worker: WorkerId, incoming: SessionRequests) -> Result<SessionResponses, Status>;
}

/// Serves workers.
pub(crate) struct WorkerApi<S> {
    pub(crate) app: Arc<App>,
    pub(crate) sessions: S,
}

#[async_trait]
impl<S: SessionHandler> WorkerService for WorkerApi<S> {
    type SessionStream = SessionResponses;

    async fn session(
        &self,
        request: Request<Streaming<proto::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let worker = auth::worker(request.extensions())?;
        Ok(Response::new(self.sessions.session(worker, Box::pin(request.into_inner())).await?))
    }

    async fn join(&self, request: Request<proto::JoinRequest>) -> Result<Response<proto::JoinResponse>, Status> {
        let Join { token, worker, request } = Wire(request.into_inner()).try_into().map_err(status)?;
        let admission = self.app.join(&token, &worker, &request).await.map_err(status)?;
        Ok(Response::new(Wire(admission).into()))
    }

    async fn renew_certificate(
        &self,
        request: Request<proto::RenewCertificateRequest>,
    ) -> Result<Response<proto::RenewCertificateResponse>, Status> {
        let worker = auth::worker(request.extensions())?;
        let request = request.into_inner().signing_request;
        let certified = self.app.renew_certificate(&worker, &request).await.map_err(status)?;
        Ok(Response::new(Wire(certified).into()))
    }

    async fn create_join_token(
        &self,
        request: Request<proto::CreateJoinTokenRequest>,
    ) -> Result<Response<proto::CreateJoinTokenResponse>, Status> {
        let NewJoinToken { worker, lifetime } = Wire(request.into_inner()).try_into().map_err(status)?;
        let made = self.app.create_join_token(&worker, lifetime).await.map_err(status)?;
        Ok(Response::new(Wire(made).into()))
    }

    async fn list_join_tokens(
        &self,
        _: Request<proto::ListJoinTokensRequest>,
    ) -> Result<Response<proto::ListJoinTokensResponse>, Status> {
        let unused = self.app.unused_join_tokens().await.map_err(status)?;
        let join_tokens = unused.into_iter().map(|token| Wire(token).into()).collect();
        Ok(Response::new(proto::ListJoinTokensResponse { join_tokens }))
    }

    async fn revoke_join_tokens(
        &self,
        request: Request<proto::RevokeJoinTokensRequest>,
    ) -> Result<Response<proto::RevokeJoinTokensResponse>, Status> {
        let count = self.app.revoke_join_tokens(&worker_id(request.into_inner().id)?).await.map_err(status)?;
        Ok(Response::new(proto::RevokeJoinTokensResponse { count }))
    }

    async fn list_workers(
        &self,
        _: Request<proto::ListWorkersRequest>,
    ) -> Result<Response<proto::ListWorkersResponse>, Status> {
        let workers = self.app.workers().await.map_err(status)?;
        let workers = workers.into_iter().map(|worker| Wire(worker).into()).collect();
        Ok(Response::new(proto::ListWorkersResponse { workers }))
    }

    async fn get_worker(
        &self,
        request: Request<proto::GetWorkerRequest>,
    ) -> Result<Response<proto::GetWorkerResponse>, Status> {
        let (worker, tasks) = self.app.worker_with_tasks(&worker_id(request.into_inner().id)?).await.map_err(status)?;
        let tasks = tasks.into_iter().map(|task| Wire(task).into()).collect();
        Ok(Response::new(proto::GetWorkerResponse { worker: Some(Wire(worker).into()), tasks }))
    }

    async fn drain_worker(
        &self,
        request: Request<proto::DrainWorkerRequest>,
    ) -> Result<Response<proto::DrainWorkerResponse>, Status> {
        let worker = self.app.drain_worker(&worker_id(request.into_inner().id)?).await.map_err(status)?;
        Ok(Response::new(proto::DrainWorkerResponse { worker: Some(Wire(worker).into()) }))
    }

    async fn undrain_worker(
        &self,
        request: Request<proto::UndrainWorkerRequest>,
    ) -> Result<Response<proto::UndrainWorkerResponse>, Status> {
        let worker = self.app.undrain_worker(&worker_id(request.into_inner().id)?).await.map_err(status)?;
        Ok(Response::new(proto::UndrainWorkerResponse { worker: Some(Wire(worker).into()) }))
    }

    async fn remove_worker(
        &self,
        request: Request<proto::RemoveWorkerRequest>,
    ) -> Result<Response<proto::RemoveWorkerResponse>, Status> {
        self.app.remove_worker(&worker_id(request.into_inner().id)?).await.map_err(status)?;
        Ok(Response::new(proto::RemoveWorkerResponse {}))
    }
}

fn worker_id(typed: String) -> Result<WorkerId, Status> {
    Ok(text("id", typed).map_err(status)?.as_str().into())
}
