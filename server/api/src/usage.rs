//! `UsageService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::usage::{self as proto, usage_service_server::UsageService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{
        Wire,
        usage::{Asked, row},
    },
    status::status,
};

/// Serves usage.
pub(crate) struct UsageApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl UsageService for UsageApi {
    async fn query_usage(
        &self,
        request: Request<proto::QueryUsageRequest>,
    ) -> Result<Response<proto::QueryUsageResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let Asked { question, by } = Wire(request.into_inner()).try_into().map_err(status)?;
        let sums = self.app.usage(&caller, question, &by).await.map_err(status)?;
        let rows = sums.into_iter().map(|(values, seconds)| row(&by, values, seconds)).collect();
        Ok(Response::new(proto::QueryUsageResponse { rows }))
    }
}
