//! `PoolService`.

use std::sync::Arc;

use futures::StreamExt as _;
use sprout_app::{App, PoolView};
use sprout_domain::PoolId;
use sprout_proto::pool::{self as proto, pool_service_server::PoolService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{Wire, id, lease::extension, optional_text, text},
    drain::Draining,
    page::PageRequest,
    status::status,
    stream::{BoxStream, streaming},
};

/// Serves pools.
pub(crate) struct PoolApi {
    pub(crate) app: Arc<App>,
    pub(crate) draining: Draining,
}

#[async_trait]
impl PoolService for PoolApi {
    type WatchPoolStream = BoxStream<proto::WatchPoolResponse>;

    async fn request_pool(
        &self,
        request: Request<proto::RequestPoolRequest>,
    ) -> Result<Response<proto::RequestPoolResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let wanted = Wire(request.into_inner()).try_into().map_err(status)?;
        let requested = self.app.request_pool(&caller, wanted).await.map_err(status)?;
        Ok(Response::new(proto::RequestPoolResponse {
            pool: Some(Wire(requested.view).into()),
            repeated_request: requested.repeated,
        }))
    }

    async fn get_pool(
        &self,
        request: Request<proto::GetPoolRequest>,
    ) -> Result<Response<proto::GetPoolResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = PoolId(id("id", request.into_inner().id).map_err(status)?);
        let view = self.app.pool(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::GetPoolResponse { pool: Some(Wire(view).into()) }))
    }

    async fn list_pools(
        &self,
        request: Request<proto::ListPoolsRequest>,
    ) -> Result<Response<proto::ListPoolsResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let page = PageRequest::read(request.page_size, &request.page_token).map_err(status)?;
        let filter = Wire(request).try_into().map_err(status)?;
        let mut views = self.app.pools(&caller, filter, page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut views, |view| view.pool.id.0);
        Ok(Response::new(proto::ListPoolsResponse { pools: views.into_iter().map(in_list).collect(), next_page_token }))
    }

    async fn watch_pool(
        &self,
        request: Request<proto::WatchPoolRequest>,
    ) -> Result<Response<Self::WatchPoolStream>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = PoolId(id("id", request.into_inner().id).map_err(status)?);
        let changes = self.app.watch_pool(&caller, id).await.map_err(status)?;
        let sent = changes.map(|change| {
            let (view, message) = change.map_err(status)?;
            Ok(proto::WatchPoolResponse { pool: Some(Wire(view).into()), message })
        });
        Ok(streaming(sent, self.draining.clone()))
    }

    async fn extend_pool(
        &self,
        request: Request<proto::ExtendPoolRequest>,
    ) -> Result<Response<proto::ExtendPoolResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = PoolId(id("id", request.id).map_err(status)?);
        let extension = extension(request.lease, request.never_expire).map_err(status)?;
        let view = self.app.extend_pool(&caller, id, extension).await.map_err(status)?;
        Ok(Response::new(proto::ExtendPoolResponse { pool: Some(Wire(view).into()) }))
    }

    async fn kill_pool(
        &self,
        request: Request<proto::KillPoolRequest>,
    ) -> Result<Response<proto::KillPoolResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = PoolId(id("id", request.into_inner().id).map_err(status)?);
        let view = self.app.kill_pool(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::KillPoolResponse { pool: Some(Wire(view).into()) }))
    }

    async fn explain_pool(
        &self,
        request: Request<proto::ExplainPoolRequest>,
    ) -> Result<Response<proto::ExplainPoolResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = PoolId(id("id", request.into_inner().id).map_err(status)?);
        let explanation = self.app.explain_pool(&caller, id).await.map_err(status)?;
        Ok(Response::new(Wire(explanation).into()))
    }

    async fn keep_pool_alive(
        &self,
        request: Request<proto::KeepPoolAliveRequest>,
    ) -> Result<Response<proto::KeepPoolAliveResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = PoolId(id("id", request.into_inner().id).map_err(status)?);
        let alive_until = self.app.keep_pool_alive(&caller, id).await.map_err(status)?;
        Ok(Response::new(Wire(alive_until).into()))
    }

    async fn describe_pool(
        &self,
        request: Request<proto::DescribePoolRequest>,
    ) -> Result<Response<proto::DescribePoolResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = PoolId(id("id", request.id).map_err(status)?);
        let view = self.app.describe_pool(&caller, id, &request.description).await.map_err(status)?;
        Ok(Response::new(proto::DescribePoolResponse { pool: Some(Wire(view).into()) }))
    }

    async fn clone_pool(
        &self,
        request: Request<proto::ClonePoolRequest>,
    ) -> Result<Response<proto::ClonePoolResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = PoolId(id("id", request.id).map_err(status)?);
        let wanted = Wire(request).try_into().map_err(status)?;
        let cloned = self.app.clone_pool(&caller, id, wanted).await.map_err(status)?;
        Ok(Response::new(proto::ClonePoolResponse {
            pool: Some(Wire(cloned.view).into()),
            repeated_request: cloned.repeated,
        }))
    }

    async fn merge_pools(
        &self,
        request: Request<proto::MergePoolsRequest>,
    ) -> Result<Response<proto::MergePoolsResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let target = PoolId(id("target_id", request.target_id).map_err(status)?);
        let source = PoolId(id("source_id", request.source_id).map_err(status)?);
        let view = self.app.merge_pools(&caller, target, source).await.map_err(status)?;
        Ok(Response::new(proto::MergePoolsResponse { pool: Some(Wire(view).into()) }))
    }

    async fn transfer_pool(
        &self,
        request: Request<proto::TransferPoolRequest>,
    ) -> Result<Response<proto::TransferPoolResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let id = PoolId(id("id", request.id).map_err(status)?);
        let owner = text("owner", request.owner).map_err(status)?;
        let view = self.app.transfer_pool(&caller, id, &owner).await.map_err(status)?;
        Ok(Response::new(proto::TransferPoolResponse { pool: Some(Wire(view).into()) }))
    }

    async fn kill_pools(
        &self,
        request: Request<proto::KillPoolsRequest>,
    ) -> Result<Response<proto::KillPoolsResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let owner = optional_text("owner", request.into_inner().owner).map_err(status)?;
        let views = self.app.kill_pools(&caller, owner.as_deref()).await.map_err(status)?;
        Ok(Response::new(proto::KillPoolsResponse { pools: views.into_iter().map(in_list).collect() }))
    }
}

/// A pool as lists show it: a thousand pools of a thousand appliances each would not fit a message.
fn in_list(view: PoolView) -> proto::Pool {
    proto::Pool { appliances: Vec::new(), ..Wire(view).into() }
}
