//! `CleanupService`.

use sprout_proto::cleanup::{self as proto, cleanup_service_server::CleanupService};
use tonic::{Request, Response, Status, async_trait};

use crate::status::unbuilt;

/// Serves clean-up rules.
pub(crate) struct CleanupApi;

#[async_trait]
impl CleanupService for CleanupApi {
    async fn list_rules(
        &self,
        _: Request<proto::ListRulesRequest>,
    ) -> Result<Response<proto::ListRulesResponse>, Status> {
        Err(unbuilt())
    }

    async fn create_rule(
        &self,
        _: Request<proto::CreateRuleRequest>,
    ) -> Result<Response<proto::CreateRuleResponse>, Status> {
        Err(unbuilt())
    }

    async fn delete_rule(
        &self,
        _: Request<proto::DeleteRuleRequest>,
    ) -> Result<Response<proto::DeleteRuleResponse>, Status> {
        Err(unbuilt())
    }

    async fn plan(&self, _: Request<proto::PlanRequest>) -> Result<Response<proto::PlanResponse>, Status> {
        Err(unbuilt())
    }
}
