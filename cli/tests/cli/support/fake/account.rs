//! Users, tokens, quotas and user groups.
#![allow(clippy::unnecessary_wraps, reason = "these stand for rpcs, which may fail")]

use sprout_client::proto::user::{
    self, Quota, QuotaUse, Role, Token, TokenScope, User, UserGroup, user_group_service_server::UserGroupService,
};
use tonic::{Request, Response, Status};

use super::{Answer, Fake, alice, at};

fn bob() -> User {
    User {
        id: 2,
        name: "bob".into(),
        role: Role::Bot.into(),
        created_at: Some(at(1_700_000_000)),
        disabled: true,
        can_override_hardware: true,
        user_groups: vec!["ci".into(), "qe".into()],
    }
}

fn quota() -> Quota {
    Quota { appliances_per_pool: Some(5), pools: None, appliances: Some(20), weight: Some(2) }
}

const USED: QuotaUse = QuotaUse { pools: 3, appliances: 7 };

fn token(id: u64, name: &str, scope: TokenScope) -> Token {
    Token {
        id,
        user: "alice".into(),
        name: name.into(),
        scope: scope.into(),
        created_at: Some(at(1_700_000_000)),
        expires_at: None,
        used_at: None,
    }
}

fn qe() -> UserGroup {
    UserGroup {
        name: "qe".into(),
        members: vec!["alice".into(), "bob".into()],
        providers: vec!["docker".into(), "libvirt".into()],
        created_at: Some(at(1_700_000_000)),
    }
}

pub(super) fn change_password(request: user::ChangePasswordRequest) -> Answer<user::ChangePasswordResponse> {
    match (request.old_password.as_str(), request.new_password.as_str()) {
        ("correct horse", "battery staple") => Ok(Response::new(user::ChangePasswordResponse {})),
        _ => Err(Status::unauthenticated("the old password is not right; nothing was changed")),
    }
}

pub(super) fn create_token(request: user::CreateTokenRequest) -> Answer<user::CreateTokenResponse> {
    let token = token(9, &request.name, request.scope());
    Ok(Response::new(user::CreateTokenResponse { secret: "spr_secret".into(), token: Some(token) }))
}

pub(super) fn list_tokens() -> Answer<user::ListTokensResponse> {
    let tokens = vec![token(8, "ci", TokenScope::Use), token(7, "login", TokenScope::Full)];
    Ok(Response::new(user::ListTokensResponse { tokens }))
}

pub(super) fn list_users() -> Answer<user::ListUsersResponse> {
    Ok(Response::new(user::ListUsersResponse { users: vec![alice(), bob()], next_page_token: String::new() }))
}

pub(super) fn get_user() -> Answer<user::GetUserResponse> {
    Ok(Response::new(user::GetUserResponse { user: Some(bob()), quota: Some(quota()), r#use: Some(USED) }))
}

pub(super) fn update_user(request: user::UpdateUserRequest) -> Answer<user::UpdateUserResponse> {
    let user = User { name: request.name, disabled: request.disabled.unwrap_or_default(), ..alice() };
    Ok(Response::new(user::UpdateUserResponse { user: Some(user) }))
}

pub(super) fn set_quota(request: user::SetQuotaRequest) -> Answer<user::SetQuotaResponse> {
    Ok(Response::new(user::SetQuotaResponse { quota: request.quota, r#use: Some(USED) }))
}

#[tonic::async_trait]
impl UserGroupService for Fake {
    async fn list_user_groups(&self, _: Request<user::ListUserGroupsRequest>) -> Answer<user::ListUserGroupsResponse> {
        Ok(Response::new(user::ListUserGroupsResponse { user_groups: vec![qe()] }))
    }

    async fn get_user_group(&self, _: Request<user::GetUserGroupRequest>) -> Answer<user::GetUserGroupResponse> {
        Ok(Response::new(user::GetUserGroupResponse { user_group: Some(qe()) }))
    }

    async fn create_user_group(
        &self,
        request: Request<user::CreateUserGroupRequest>,
    ) -> Answer<user::CreateUserGroupResponse> {
        let user::CreateUserGroupRequest { name, members, providers } = request.into_inner();
        let user_group = Some(UserGroup { name, members, providers, created_at: None });
        Ok(Response::new(user::CreateUserGroupResponse { user_group }))
    }

    async fn delete_user_group(
        &self,
        request: Request<user::DeleteUserGroupRequest>,
    ) -> Answer<user::DeleteUserGroupResponse> {
        self.asked.lock().unwrap().push(format!("delete {}", request.into_inner().name));
        Ok(Response::new(user::DeleteUserGroupResponse {}))
    }

    async fn update_user_group(
        &self,
        request: Request<user::UpdateUserGroupRequest>,
    ) -> Answer<user::UpdateUserGroupResponse> {
        let request = request.into_inner();
        let asked = format!("add {:?}, remove {:?}", request.add_members, request.remove_providers);
        self.asked.lock().unwrap().push(asked);
        Ok(Response::new(user::UpdateUserGroupResponse { user_group: Some(qe()) }))
    }
}
