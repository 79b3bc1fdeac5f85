//! `WorkerService`: the list of workers, and the door to their sessions, which are held elsewhere.

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use sprout_app::App;
use sprout_domain::WorkerId;
use sprout_proto::worker::{self as proto, worker_service_server::WorkerService};
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::{auth, convert::Wire, status::status};

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
        _: Request<proto::GetWorkerRequest>,
    ) -> Result<Response<proto::GetWorkerResponse>, Status> {
        Err(Status::unimplemented("GetWorker"))
    }

    async fn drain_worker(
        &self,
        _: Request<proto::DrainWorkerRequest>,
    ) -> Result<Response<proto::DrainWorkerResponse>, Status> {
        Err(Status::unimplemented("DrainWorker"))
    }

    async fn undrain_worker(
        &self,
        _: Request<proto::UndrainWorkerRequest>,
    ) -> Result<Response<proto::UndrainWorkerResponse>, Status> {
        Err(Status::unimplemented("UndrainWorker"))
    }

    async fn remove_worker(
        &self,
        _: Request<proto::RemoveWorkerRequest>,
    ) -> Result<Response<proto::RemoveWorkerResponse>, Status> {
        Err(Status::unimplemented("RemoveWorker"))
    }
}
