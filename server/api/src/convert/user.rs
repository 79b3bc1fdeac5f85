//! Users on the wire.

use std::time::Duration;

use sprout_domain::{
    Error, Secret,
    user::{Role, User},
};
use sprout_proto::user as proto;

use super::{Wire, moment, optional_duration, text};

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

/// A user to be.
pub(crate) struct NewUser {
    pub(crate) name: String,
    pub(crate) password: Secret,
    pub(crate) role: Role,
}

impl TryFrom<Wire<proto::CreateUserRequest>> for NewUser {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::CreateUserRequest>) -> Result<Self, Error> {
        let role = match request.role() {
            proto::Role::Unspecified => {
                return Err(Error::invalid("role", "say what the user may do: user, staff or superuser"));
            }
            proto::Role::User => Role::User,
            proto::Role::Bot => Role::Bot,
            proto::Role::Staff => Role::Staff,
            proto::Role::Superuser => Role::Superuser,
        };
        Ok(Self { name: request.name, password: Secret::new(request.password), role })
    }
}

impl From<Wire<User>> for proto::User {
    fn from(Wire(user): Wire<User>) -> Self {
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
            user_groups: Vec::new(),
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

/// Who is calling, and how.
pub(crate) struct Me {
    pub(crate) user: User,
    pub(crate) expires_at: Option<sprout_domain::Timestamp>,
    pub(crate) server_version: String,
}

impl From<Wire<Me>> for proto::WhoAmIResponse {
    fn from(Wire(me): Wire<Me>) -> Self {
        Self {
            user: Some(Wire(me.user).into()),
            expires_at: me.expires_at.map(moment),
            server_version: me.server_version,
            token: None,
        }
    }
}
