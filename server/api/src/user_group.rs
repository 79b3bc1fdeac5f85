//! `UserGroupService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::user::{self as proto, user_group_service_server::UserGroupService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{
        Wire, text,
        user_group::{Update, keys},
    },
    status::status,
};

/// Serves user groups.
pub(crate) struct UserGroupApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl UserGroupService for UserGroupApi {
    async fn list_user_groups(
        &self,
        request: Request<proto::ListUserGroupsRequest>,
    ) -> Result<Response<proto::ListUserGroupsResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let groups = self.app.user_groups(&caller).await.map_err(status)?;
        let user_groups = groups.into_iter().map(|group| Wire(group).into()).collect();
        Ok(Response::new(proto::ListUserGroupsResponse { user_groups }))
    }

    async fn get_user_group(
        &self,
        request: Request<proto::GetUserGroupRequest>,
    ) -> Result<Response<proto::GetUserGroupResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let name = text("name", request.into_inner().name).map_err(status)?;
        let group = self.app.user_group(&caller, &name).await.map_err(status)?;
        Ok(Response::new(proto::GetUserGroupResponse { user_group: Some(Wire(group).into()) }))
    }

    async fn create_user_group(
        &self,
        request: Request<proto::CreateUserGroupRequest>,
    ) -> Result<Response<proto::CreateUserGroupResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let proto::CreateUserGroupRequest { name, members, providers } = request.into_inner();
        let group = self.app.create_user_group(&caller, &name, members, keys(providers)).await.map_err(status)?;
        Ok(Response::new(proto::CreateUserGroupResponse { user_group: Some(Wire(group).into()) }))
    }

    async fn delete_user_group(
        &self,
        request: Request<proto::DeleteUserGroupRequest>,
    ) -> Result<Response<proto::DeleteUserGroupResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let name = text("name", request.into_inner().name).map_err(status)?;
        self.app.delete_user_group(&caller, &name).await.map_err(status)?;
        Ok(Response::new(proto::DeleteUserGroupResponse {}))
    }

    async fn update_user_group(
        &self,
        request: Request<proto::UpdateUserGroupRequest>,
    ) -> Result<Response<proto::UpdateUserGroupResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let Update { name, update } = Wire(request.into_inner()).try_into().map_err(status)?;
        let group = self.app.update_user_group(&caller, &name, &update).await.map_err(status)?;
        Ok(Response::new(proto::UpdateUserGroupResponse { user_group: Some(Wire(group).into()) }))
    }
}
