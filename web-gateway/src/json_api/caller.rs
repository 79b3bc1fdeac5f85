//! Who calls: names and passwords traded for tokens, and remembered for a while, since each call carries them and proving a password is slow by design.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use sprout_client::{
    ClientError, Connection,
    proto::user::{GetUserRequest, LoginRequest},
    retry,
};
use sprout_conf::Secret;

use super::failure::Failure;
use crate::client::Client;

/// How long a token works that is made for a caller.
const LIFETIME: Duration = Duration::from_secs(3600);
/// How long it is used: shorter, so that none ends in the middle of a call.
const REMEMBERED: Duration = Duration::from_secs(45 * 60);
/// Callers remembered at most.
const MOST: u64 = 10_000;

/// Someone who proved who they are.
#[derive(Debug)]
pub(super) struct Caller {
    /// Their name.
    pub(super) name: String,
    /// Calls with it are theirs.
    pub(super) connection: Connection,
}

/// Those who called lately.
pub(super) struct Callers {
    server: Connection,
    known: Cache<[u8; 32], Arc<Caller>>,
    /// Of this process alone: what is kept of a password says nothing to anyone else.
    salt: [u8; 32],
}

impl Callers {
    /// Nobody called yet.
    pub(super) fn new(server: Connection) -> Self {
        let known = Cache::builder().max_capacity(MOST).time_to_live(REMEMBERED).build();
        Self { server, known, salt: rand::random() }
    }

    /// The caller of this name with this password; `own` may know whether there is such a user at all.
    pub(super) async fn find(
        &self,
        name: &str,
        password: &Secret,
        client: &Client,
        own: Option<&Connection>,
    ) -> Result<Arc<Caller>, Failure> {
        let found = self.known.try_get_with(self.key(name, password), self.sign_in(name, password, client)).await;
        match found {
            Ok(caller) => Ok(caller),
            Err(error) if error.reason() == Some("WRONG_PASSWORD") => {
                if exists(name, own).await {
                    Err(Failure::Auth(format!("Wrong password for user {name}!")))
                } else {
                    Err(Failure::Auth(format!("User {name} does not exist!")))
                }
            }
            // Too many attempts, a disabled user: whatever it is, the caller is not let in.
            Err(error) if !error.is_unavailable() => Err(Failure::Auth(error.to_string())),
            Err(error) => Err(ClientError::clone(&error).into()),
        }
    }

    /// Forgets a caller whose token works no more.
    pub(super) async fn forget(&self, name: &str, password: &Secret) {
        self.known.invalidate(&self.key(name, password)).await;
    }

    async fn sign_in(&self, name: &str, password: &Secret, client: &Client) -> Result<Arc<Caller>, ClientError> {
        let request = LoginRequest {
            name: name.to_owned(),
            password: password.expose().to_owned(),
            lifetime: Some(prost_types::Duration { seconds: LIFETIME.as_secs().cast_signed(), nanos: 0 }),
        };
        let answer = retry(async || {
            self.server
                .users()
                .login(client.request(request.clone()))
                .await
                .map_err(|status| self.server.explain(status))
        })
        .await?
        .into_inner();
        let connection = self.server.with_token(&Secret::from(answer.token))?;
        Ok(Arc::new(Caller { name: name.to_owned(), connection }))
    }

    fn key(&self, name: &str, password: &Secret) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(self.salt);
        hash.update(u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(name);
        hash.update(password.expose());
        hash.finalize().into()
    }
}

/// There is a user of this name, as far as the gateway itself may know.
async fn exists(name: &str, own: Option<&Connection>) -> bool {
    let Some(own) = own else { return true };
    let found = own.users().get_user(GetUserRequest { name: name.to_owned() }).await;
    found.map_err(|status| own.explain(status)).err().and_then(|error| error.reason().map(str::to_owned)).as_deref()
        != Some("USER_NOT_FOUND")
}
