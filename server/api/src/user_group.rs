//! `UserGroupService`.

use sprout_proto::user::{self as proto, user_group_service_server::UserGroupService};
use tonic::{Request, Response, Status, async_trait};

use crate::status::unbuilt;

/// Serves user groups.
pub(crate) struct UserGroupApi;

#[async_trait]
impl UserGroupService for UserGroupApi {
    async fn list_user_groups(
        &self,
        _: Request<proto::ListUserGroupsRequest>,
    ) -> Result<Response<proto::ListUserGroupsResponse>, Status> {
        Err(unbuilt())
    }

    async fn get_user_group(
        &self,
        _: Request<proto::GetUserGroupRequest>,
    ) -> Result<Response<proto::GetUserGroupResponse>, Status> {
        Err(unbuilt())
    }

    async fn create_user_group(
        &self,
        _: Request<proto::CreateUserGroupRequest>,
    ) -> Result<Response<proto::CreateUserGroupResponse>, Status> {
        Err(unbuilt())
    }

    async fn delete_user_group(
        &self,
        _: Request<proto::DeleteUserGroupRequest>,
    ) -> Result<Response<proto::DeleteUserGroupResponse>, Status> {
        Err(unbuilt())
    }

    async fn update_user_group(
        &self,
        _: Request<proto::UpdateUserGroupRequest>,
    ) -> Result<Response<proto::UpdateUserGroupResponse>, Status> {
        Err(unbuilt())
    }
}
