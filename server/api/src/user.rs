//! `UserService`.

use std::sync::Arc;

use sprout_app::{App, ports::QuotaAndUse};
use sprout_domain::{Secret, TokenId};
use sprout_proto::user::{self as proto, user_service_server::UserService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{
        Wire, id, moment, optional_text, text,
        user::{Credentials, NewToken, Update, quota, token},
    },
    guess::Guesses,
    page::PageRequest,
    peer::Peer,
    status::status,
};

/// Serves users.
pub(crate) struct UserApi {
    pub(crate) app: Arc<App>,
    /// Version of the program that serves.
    pub(crate) version: String,
    pub(crate) guesses: Guesses,
}

#[async_trait]
impl UserService for UserApi {
    async fn login(&self, request: Request<proto::LoginRequest>) -> Result<Response<proto::LoginResponse>, Status> {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let Credentials { name, password, lifetime } = Wire(request.into_inner()).try_into().map_err(status)?;
        let attempt = self.guesses.begin(&name, peer).map_err(status)?;
        let signed_in = self.app.login(&name, password, lifetime).await.map_err(status)?;
        attempt.succeeded();
        Ok(Response::new(Wire(signed_in).into()))
    }

    async fn who_am_i(
        &self,
        request: Request<proto::WhoAmIRequest>,
    ) -> Result<Response<proto::WhoAmIResponse>, Status> {
        let caller = auth::caller(request.extensions())?;
        let me = self.app.me(&auth::user(request.extensions())?).await.map_err(status)?;
        Ok(Response::new(proto::WhoAmIResponse {
            token: Some(token(&me.user.name, caller.shown.clone())),
            expires_at: caller.expires_at.map(moment),
            user: Some(Wire(me).into()),
            server_version: self.version.clone(),
        }))
    }

    async fn logout(&self, request: Request<proto::LogoutRequest>) -> Result<Response<proto::LogoutResponse>, Status> {
        let caller = auth::caller(request.extensions())?;
        self.app.logout(caller.name(), &caller.token).await.map_err(status)?;
        Ok(Response::new(proto::LogoutResponse {}))
    }

    async fn logout_everywhere(
        &self,
        request: Request<proto::LogoutEverywhereRequest>,
    ) -> Result<Response<proto::LogoutEverywhereResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let count = self.app.logout_everywhere(&caller).await.map_err(status)?;
        Ok(Response::new(proto::LogoutEverywhereResponse { count: u32::try_from(count).unwrap_or(u32::MAX) }))
    }

    async fn create_user(
        &self,
        request: Request<proto::CreateUserRequest>,
    ) -> Result<Response<proto::CreateUserResponse>, Status> {
        let new = Wire(request.into_inner()).try_into().map_err(status)?;
        let user = self.app.add_user(new).await.map_err(status)?;
        Ok(Response::new(proto::CreateUserResponse { user: Some(Wire(user).into()) }))
    }

    async fn change_password(
        &self,
        request: Request<proto::ChangePasswordRequest>,
    ) -> Result<Response<proto::ChangePasswordResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let proof = auth::caller(request.extensions())?.token.clone();
        let request = request.into_inner();
        let (old, new) = (Secret::new(request.old_password), Secret::new(request.new_password));
        self.app.change_password(&caller, &proof, old, new).await.map_err(status)?;
        Ok(Response::new(proto::ChangePasswordResponse {}))
    }

    async fn create_token(
        &self,
        request: Request<proto::CreateTokenRequest>,
    ) -> Result<Response<proto::CreateTokenResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let own = auth::caller(request.extensions())?.shown.scope;
        let NewToken { name, scope, lifetime } = Wire(request.into_inner()).try_into().map_err(status)?;
        let (secret, made) = self.app.create_token(&caller, own, &name, scope, lifetime).await.map_err(status)?;
        let (secret, token) = (secret.expose().to_owned(), Some(token(&caller.name, made)));
        Ok(Response::new(proto::CreateTokenResponse { secret, token }))
    }

    async fn list_tokens(
        &self,
        request: Request<proto::ListTokensRequest>,
    ) -> Result<Response<proto::ListTokensResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let name = optional_text("user", request.into_inner().user).map_err(status)?;
        let (owner, tokens) = self.app.tokens(&caller, name.as_deref()).await.map_err(status)?;
        let tokens = tokens.into_iter().map(|found| token(&owner, found)).collect();
        Ok(Response::new(proto::ListTokensResponse { tokens }))
    }

    async fn revoke_token(
        &self,
        request: Request<proto::RevokeTokenRequest>,
    ) -> Result<Response<proto::RevokeTokenResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let id = TokenId(id("id", request.into_inner().id).map_err(status)?);
        self.app.revoke_token(&caller, id).await.map_err(status)?;
        Ok(Response::new(proto::RevokeTokenResponse {}))
    }

    async fn list_users(
        &self,
        request: Request<proto::ListUsersRequest>,
    ) -> Result<Response<proto::ListUsersResponse>, Status> {
        let request = request.into_inner();
        let page = PageRequest::read(request.page_size, &request.page_token).map_err(status)?;
        let filter = Wire(request).try_into().map_err(status)?;
        let mut found = self.app.users(&filter, page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut found, |view| view.user.id.0);
        let users = found.into_iter().map(|view| Wire(view).into()).collect();
        Ok(Response::new(proto::ListUsersResponse { users, next_page_token }))
    }

    async fn get_user(
        &self,
        request: Request<proto::GetUserRequest>,
    ) -> Result<Response<proto::GetUserResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let name = Some(request.into_inner().name).filter(|name| !name.is_empty());
        let (user, QuotaAndUse { quota, used }) = self.app.user(&caller, name.as_deref()).await.map_err(status)?;
        Ok(Response::new(proto::GetUserResponse {
            user: Some(Wire(user).into()),
            quota: Some(Wire(quota).into()),
            r#use: Some(Wire(used).into()),
        }))
    }

    async fn update_user(
        &self,
        request: Request<proto::UpdateUserRequest>,
    ) -> Result<Response<proto::UpdateUserResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let Update { name, update } = Wire(request.into_inner()).try_into().map_err(status)?;
        let user = self.app.update_user(&caller, &name, update).await.map_err(status)?;
        Ok(Response::new(proto::UpdateUserResponse { user: Some(Wire(user).into()) }))
    }

    async fn set_quota(
        &self,
        request: Request<proto::SetQuotaRequest>,
    ) -> Result<Response<proto::SetQuotaResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let name = text("user", request.user).map_err(status)?;
        let quota = quota(request.quota).map_err(status)?;
        let QuotaAndUse { quota, used } = self.app.set_quota(&caller, &name, quota).await.map_err(status)?;
        Ok(Response::new(proto::SetQuotaResponse { quota: Some(Wire(quota).into()), r#use: Some(Wire(used).into()) }))
    }
}
