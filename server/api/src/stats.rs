//! `StatsService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::stats::{self as proto, stats_service_server::StatsService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    convert::{
        Wire,
        stats::{Asked, answer},
    },
    status::status,
};

/// Serves numbers over time.
pub(crate) struct StatsApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl StatsService for StatsApi {
    async fn query(&self, request: Request<proto::QueryRequest>) -> Result<Response<proto::QueryResponse>, Status> {
        let Asked { from, to, step } = Wire(request.into_inner()).try_into().map_err(status)?;
        let (span, points) = self.app.stats(from, to, step).await.map_err(status)?;
        Ok(Response::new(answer(span, points)))
    }
}
