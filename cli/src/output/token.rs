//! Tokens as they are shown.

use serde::Serialize;
use sprout_client::proto::user::{Token, TokenScope};
use sprout_conf::Secret;

use super::{Card, Row, lower, time};

/// A token, without what proves it.
#[derive(Debug, Serialize)]
pub(crate) struct TokenView {
    id: u64,
    user: String,
    pub(crate) name: String,
    pub(crate) scope: String,
    created_at: Option<String>,
    expires_at: Option<String>,
    used_at: Option<String>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            user: token.user,
            name: token.name,
            scope: lower(token.scope, TokenScope::as_str_name, "TOKEN_SCOPE_"),
            created_at: time::rfc3339(token.created_at),
            expires_at: time::rfc3339(token.expires_at),
            used_at: time::rfc3339(token.used_at),
        }
    }
}

impl Row for TokenView {
    const PLURAL: &'static str = "tokens";
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "SCOPE", "CREATED", "EXPIRES", "LAST USED"];

    fn cells(&self) -> Vec<String> {
        let never = || "never".to_owned();
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.scope.clone(),
            time::relative(self.created_at.as_ref()).unwrap_or_default(),
            time::relative(self.expires_at.as_ref()).unwrap_or_else(never),
            time::relative(self.used_at.as_ref()).unwrap_or_else(never),
        ]
    }
}

/// A token just made.
#[derive(Debug, Serialize)]
pub(crate) struct NewTokenView {
    #[serde(flatten)]
    token: TokenView,
    /// To be shown: that is what it was made for.
    #[serde(serialize_with = "shown")]
    secret: Secret,
}

impl NewTokenView {
    pub(crate) fn new(token: TokenView, secret: Secret) -> Self {
        Self { token, secret }
    }

    /// What to do with it.
    pub(crate) fn hint(&self) -> String {
        let TokenView { id, name, scope, expires_at, .. } = &self.token;
        let until = time::relative_and_exact(expires_at.as_ref()).unwrap_or_default();
        format!(
            "token {name} (id {id}) is for {scope} and works until {until}; it is shown only now: use it with --token-file or SPROUT_TOKEN"
        )
    }
}

impl Card for NewTokenView {
    fn text(&self) -> String {
        format!("{}\n", self.secret.expose())
    }
}

fn shown<S: serde::Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}
