//! `UserService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::user::{self as proto, user_service_server::UserService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{
        Wire,
        user::{Credentials, Me, NewUser},
    },
    status::{status, unbuilt},
};

/// Serves users.
pub(crate) struct UserApi {
    pub(crate) app: Arc<App>,
    /// Version of the program that serves.
    pub(crate) version: String,
}

#[async_trait]
impl UserService for UserApi {
    async fn login(&self, request: Request<proto::LoginRequest>) -> Result<Response<proto::LoginResponse>, Status> {
        let Credentials { name, password, lifetime } = Wire(request.into_inner()).try_into().map_err(status)?;
        let signed_in = self.app.login(&name, password, lifetime).await.map_err(status)?;
        Ok(Response::new(Wire(signed_in).into()))
    }

    async fn who_am_i(
        &self,
        request: Request<proto::WhoAmIRequest>,
    ) -> Result<Response<proto::WhoAmIResponse>, Status> {
        let user = auth::user(request.extensions())?;
        let expires_at = auth::caller(request.extensions())?.expires_at;
        Ok(Response::new(Wire(Me { user, expires_at, server_version: self.version.clone() }).into()))
    }

    async fn logout(&self, request: Request<proto::LogoutRequest>) -> Result<Response<proto::LogoutResponse>, Status> {
        let caller = auth::caller(request.extensions())?;
        self.app.logout(caller.name(), &caller.token).await.map_err(status)?;
        Ok(Response::new(proto::LogoutResponse {}))
    }

    async fn create_user(
        &self,
        request: Request<proto::CreateUserRequest>,
    ) -> Result<Response<proto::CreateUserResponse>, Status> {
        let NewUser { name, password, role } = Wire(request.into_inner()).try_into().map_err(status)?;
        let user = self.app.create_user(&name, password, role).await.map_err(status)?;
        Ok(Response::new(proto::CreateUserResponse { user: Some(Wire(user).into()) }))
    }

    async fn change_password(
        &self,
        _: Request<proto::ChangePasswordRequest>,
    ) -> Result<Response<proto::ChangePasswordResponse>, Status> {
        Err(unbuilt())
    }

    async fn create_token(
        &self,
        _: Request<proto::CreateTokenRequest>,
    ) -> Result<Response<proto::CreateTokenResponse>, Status> {
        Err(unbuilt())
    }

    async fn list_tokens(
        &self,
        _: Request<proto::ListTokensRequest>,
    ) -> Result<Response<proto::ListTokensResponse>, Status> {
        Err(unbuilt())
    }

    async fn revoke_token(
        &self,
        _: Request<proto::RevokeTokenRequest>,
    ) -> Result<Response<proto::RevokeTokenResponse>, Status> {
        Err(unbuilt())
    }

    async fn list_users(
        &self,
        _: Request<proto::ListUsersRequest>,
    ) -> Result<Response<proto::ListUsersResponse>, Status> {
        Err(unbuilt())
    }

    async fn get_user(&self, _: Request<proto::GetUserRequest>) -> Result<Response<proto::GetUserResponse>, Status> {
        Err(unbuilt())
    }

    async fn update_user(
        &self,
        _: Request<proto::UpdateUserRequest>,
    ) -> Result<Response<proto::UpdateUserResponse>, Status> {
        Err(unbuilt())
    }

    async fn set_quota(&self, _: Request<proto::SetQuotaRequest>) -> Result<Response<proto::SetQuotaResponse>, Status> {
        Err(unbuilt())
    }
}
