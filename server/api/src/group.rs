//! `GroupService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::group::{self as proto, group_service_server::GroupService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    convert::{Wire, text},
    status::status,
};

/// Serves groups.
pub(crate) struct GroupApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl GroupService for GroupApi {
    async fn list_groups(
        &self,
        _: Request<proto::ListGroupsRequest>,
    ) -> Result<Response<proto::ListGroupsResponse>, Status> {
        let groups = self.app.groups().await.map_err(status)?.into_iter().map(|group| Wire(group).into()).collect();
        Ok(Response::new(proto::ListGroupsResponse { groups }))
    }

    async fn get_group(
        &self,
        request: Request<proto::GetGroupRequest>,
    ) -> Result<Response<proto::GetGroupResponse>, Status> {
        let name = text("name", request.into_inner().name).map_err(status)?;
        let group = self.app.group(&name.as_str().into()).await.map_err(status)?;
        Ok(Response::new(proto::GetGroupResponse { group: Some(Wire(group).into()) }))
    }
}
