//! What is printed of messages that carry secrets: everything else of them.

use std::fmt;

macro_rules! redacted {
    ($($area:ident :: $name:ident { $($field:ident),* })+) => {
        /// Full names of the messages of which secrets are not printed.
        pub const REDACTED: &[&str] = &[$(concat!("sprout.", stringify!($area), ".v1.", stringify!($name))),+];

        $(
            impl fmt::Debug for crate::$area::$name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
                }
            }
        )+
    };
}

redacted! {
    task::SshAccess { endpoint, username, host_key }
    task::HttpCall { endpoint, tls, method, path, content_type, statuses, username }
    user::LoginRequest { name, lifetime }
    user::LoginResponse { expires_at, user }
    user::CreateUserRequest { name, role, can_override_hardware, user_groups }
    user::ChangePasswordRequest {}
    user::CreateTokenResponse { token }
    user::UpdateUserRequest { name, role, disabled, can_override_hardware }
    worker::ExternalSettings { endpoint }
    worker::JoinRequest { worker_id }
    worker::CreateJoinTokenResponse { expires_at }
}

#[cfg(test)]
mod tests {
    use crate::user::{LoginRequest, UpdateUserRequest};

    #[test]
    fn secrets_are_not_printed() {
        let request = LoginRequest { name: "ann".into(), password: "correct horse".into(), lifetime: None };
        assert_eq!(format!("{request:?}"), "LoginRequest { name: \"ann\", lifetime: None, .. }");
        let request = UpdateUserRequest { password: Some("correct horse".into()), ..UpdateUserRequest::default() };
        assert!(!format!("{request:#?}").contains("horse"));
    }
}
