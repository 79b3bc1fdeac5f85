//! `CleanupService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::cleanup::{self as proto, cleanup_service_server::CleanupService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{Wire, cleanup::provider, id},
    status::status,
};

/// Serves clean-up rules.
pub(crate) struct CleanupApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl CleanupService for CleanupApi {
    async fn list_rules(
        &self,
        _: Request<proto::ListRulesRequest>,
    ) -> Result<Response<proto::ListRulesResponse>, Status> {
        let rules = self.app.cleanup_rules().await.map_err(status)?;
        let rules = rules.into_iter().map(|rule| Wire(rule).into()).collect();
        Ok(Response::new(proto::ListRulesResponse { rules }))
    }

    async fn create_rule(
        &self,
        request: Request<proto::CreateRuleRequest>,
    ) -> Result<Response<proto::CreateRuleResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let wanted = Wire(request.into_inner()).try_into().map_err(status)?;
        let rule = self.app.add_cleanup_rule(&caller, wanted).await.map_err(status)?;
        Ok(Response::new(proto::CreateRuleResponse { rule: Some(Wire(rule).into()) }))
    }

    async fn delete_rule(
        &self,
        request: Request<proto::DeleteRuleRequest>,
    ) -> Result<Response<proto::DeleteRuleResponse>, Status> {
        let id = id("id", request.into_inner().id).map_err(status)?;
        self.app.delete_cleanup_rule(id).await.map_err(status)?;
        Ok(Response::new(proto::DeleteRuleResponse {}))
    }

    async fn plan(&self, request: Request<proto::PlanRequest>) -> Result<Response<proto::PlanResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let proto::PlanRequest { provider: key, rule } = request.into_inner();
        let more = rule.map(|rule| Wire(rule).try_into()).transpose().map_err(status)?;
        let planned = self.app.plan_cleanup(&caller, provider(key).as_ref(), more.as_ref()).await.map_err(status)?;
        let deletions = planned.into_iter().map(|planned| Wire(planned).into()).collect();
        Ok(Response::new(proto::PlanResponse { deletions }))
    }
}
