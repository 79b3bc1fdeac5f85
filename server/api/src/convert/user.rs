//! Users on the wire.

use std::time::Duration;

use sprout_app::{NewUser, UserUpdate, UserView, ports::UserFilter};
use sprout_domain::{
    Error, Secret,
    quota::{Quota, QuotaUse},
    token::{Token, TokenScope},
    user::Role,
};
use sprout_proto::user as proto;

use super::{Wire, moment, optional_duration, optional_text, text};

/// What signing in needs.
pub(crate) struct Credentials {
    pub(crate) name: String,
    pub(crate) password: Secret,
    pub(crate) lifetime: Option<Duration>,
}

impl TryFrom<Wire<proto::LoginRequest>> for Credentials {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::LoginRequest>) -> Result<Self, Error> {
        Ok(Self {
            password: Secret::new(request.password),
            name: text("name", request.name)?,
            lifetime: optional_duration("lifetime", request.lifetime)?,
        })
    }
}

/// A role asked for.
fn role(number: i32) -> Result<Role, Error> {
    match proto::Role::try_from(number) {
        Ok(proto::Role::User) => Ok(Role::User),
        Ok(proto::Role::Bot) => Ok(Role::Bot),
        Ok(proto::Role::Staff) => Ok(Role::Staff),
        Ok(proto::Role::Superuser) => Ok(Role::Superuser),
        Ok(proto::Role::Unspecified) | Err(_) => {
            Err(Error::invalid("role", "say what the user may do: user, bot, staff or superuser"))
        }
    }
}

impl TryFrom<Wire<proto::CreateUserRequest>> for NewUser {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::CreateUserRequest>) -> Result<Self, Error> {
        Ok(Self {
            role: role(request.role)?,
            name: request.name,
            password: Secret::new(request.password),
            can_override_hardware: request.can_override_hardware,
            user_groups: request.user_groups,
        })
    }
}

/// A user to change, and what of it.
pub(crate) struct Update {
    pub(crate) name: String,
    pub(crate) update: UserUpdate,
}

impl TryFrom<Wire<proto::UpdateUserRequest>> for Update {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::UpdateUserRequest>) -> Result<Self, Error> {
        let update = UserUpdate {
            role: request.role.map(role).transpose()?,
            disabled: request.disabled,
            can_override_hardware: request.can_override_hardware,
            password: request.password.map(Secret::new),
        };
        Ok(Self { name: text("name", request.name)?, update })
    }
}

/// A token to make.
pub(crate) struct NewToken {
    pub(crate) name: String,
    pub(crate) scope: TokenScope,
    pub(crate) lifetime: Option<Duration>,
}

impl TryFrom<Wire<proto::CreateTokenRequest>> for NewToken {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::CreateTokenRequest>) -> Result<Self, Error> {
        let scope = match proto::TokenScope::try_from(request.scope) {
            Ok(proto::TokenScope::Unspecified | proto::TokenScope::Full) => TokenScope::Full,
            Ok(proto::TokenScope::Use) => TokenScope::Use,
            Ok(proto::TokenScope::Read) => TokenScope::Read,
            Err(_) => return Err(Error::invalid("scope", "say what the token is for: read, use or full")),
        };
        let lifetime = optional_duration("lifetime", request.lifetime)?;
        Ok(Self { name: request.name, scope, lifetime })
    }
}

impl TryFrom<Wire<proto::ListUsersRequest>> for UserFilter {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListUsersRequest>) -> Result<Self, Error> {
        let user_group = optional_text("user_group", request.user_group)?;
        Ok(Self { user_group, with_disabled: request.include_disabled })
    }
}

/// A quota to set.
pub(crate) fn quota(quota: Option<proto::Quota>) -> Result<Quota, Error> {
    let missing = || Error::invalid("quota", "say what the user may have; an empty quota means no limit");
    let proto::Quota { appliances_per_pool, pools, appliances, weight } = quota.ok_or_else(missing)?;
    Ok(Quota { appliances_per_pool, pools, appliances, weight: weight.unwrap_or(Quota::default().weight) })
}

impl From<Wire<Quota>> for proto::Quota {
    fn from(Wire(quota): Wire<Quota>) -> Self {
        let Quota { appliances_per_pool, pools, appliances, weight } = quota;
        Self { appliances_per_pool, pools, appliances, weight: Some(weight) }
    }
}

impl From<Wire<QuotaUse>> for proto::QuotaUse {
    fn from(Wire(used): Wire<QuotaUse>) -> Self {
        Self { pools: used.pools, appliances: used.appliances }
    }
}

/// A token as its owner sees it.
pub(crate) fn token(owner: &str, token: Token) -> proto::Token {
    let scope = match token.scope {
        TokenScope::Read => proto::TokenScope::Read,
        TokenScope::Use => proto::TokenScope::Use,
        TokenScope::Full => proto::TokenScope::Full,
    };
    proto::Token {
        id: token.id.into(),
        user: owner.to_owned(),
        name: token.name,
        scope: scope.into(),
        created_at: Some(moment(token.created_at)),
        expires_at: token.expires_at.map(moment),
        used_at: token.used_at.map(moment),
    }
}

impl From<Wire<UserView>> for proto::User {
    fn from(Wire(UserView { user, user_groups }): Wire<UserView>) -> Self {
        let role = match user.role {
            Role::User => proto::Role::User,
            Role::Bot => proto::Role::Bot,
            Role::Staff => proto::Role::Staff,
            Role::Superuser => proto::Role::Superuser,
        };
        Self {
            id: user.id.into(),
            name: user.name,
            role: role.into(),
            created_at: Some(moment(user.created_at)),
            disabled: user.disabled,
            can_override_hardware: user.can_override_hardware,
            user_groups,
        }
    }
}

impl From<Wire<sprout_app::SignedIn>> for proto::LoginResponse {
    fn from(Wire(signed_in): Wire<sprout_app::SignedIn>) -> Self {
        Self {
            token: signed_in.token.expose().to_owned(),
            expires_at: Some(moment(signed_in.expires_at)),
            user: Some(Wire(signed_in.user).into()),
        }
    }
}
