//! `UsageService`.

use sprout_proto::usage::{self as proto, usage_service_server::UsageService};
use tonic::{Request, Response, Status, async_trait};

use crate::status::unbuilt;

/// Serves usage.
pub(crate) struct UsageApi;

#[async_trait]
impl UsageService for UsageApi {
    async fn query_usage(
        &self,
        _: Request<proto::QueryUsageRequest>,
    ) -> Result<Response<proto::QueryUsageResponse>, Status> {
        Err(unbuilt())
    }
}
