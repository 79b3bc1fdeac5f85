//! Users and tokens: who is calling.
//!
//! Passwords are stored as argon2id hashes (OWASP's minimum: 19 MiB, 2 passes, 1 lane, the crate's default). Tokens are 256 random bits; their
//! SHA-256 is stored, which is enough for what nobody can guess, and a look-up by it tells nothing through its timing.

pub(crate) mod account;
mod django;
mod token;

use std::time::Duration;

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{SaltString, rand_core::OsRng},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::TryRngCore as _;
use sha2::{Digest as _, Sha256};
use sprout_domain::{
    Error, Reason, Result, Secret, Timestamp, WorkerId,
    event::{EventKind, NewEvent},
    lease,
    token::{LOGIN, TokenScope},
    user::Principal,
};
use tokio::sync::watch;

use crate::{
    App, audit,
    join::check_worker_id,
    ports::{NewToken, TokenInfo, TokenOwner, TokensToDelete, UserChange},
    user::account::UserView,
    work::Work,
};

const DEFAULT_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A password with this hash, which the service before stored, goes on working.
pub(crate) fn goes_on_working(hash: &str) -> bool {
    django::is_whole(hash)
}

/// A fresh token.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The token, shown only here.
    pub token: Secret,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub user: UserView,
}

impl App {
    /// Trades name and password for a token.
    pub async fn login(&self, name: &str, password: Secret, lifetime: Option<Duration>) -> Result<SignedIn> {
        let lifetime = lifetime.unwrap_or(DEFAULT_LIFETIME);
        if lifetime.is_zero() || lifetime > MAX_LIFETIME {
            return Err(Error::invalid("lifetime", "a token lives at most 30 days; ask for less, e.g. 12h"));
        }
        let known = self.ports.store.read().await?.user_by_name(name).await?;
        let (user, hash) = known.map_or((None, None), |(user, hash)| (Some(user), Some(hash)));
        let (matches, upgraded) = self.hashing(move || verified(&password, hash)).await?;
        let Some(user) = user.filter(|_| matches) else {
            return Err(Error::new(Reason::WrongPassword, "name and password do not match"));
        };
        if user.disabled {
            let message = format!("user {} is disabled; ask an administrator", user.name);
            return Err(Error::new(Reason::UserDisabled, message));
        }
        audit::signed_in(&user.name);
        let token = new_token("spr_")?;
        let mut work = self.work().await?;
        if let Some(upgraded) = upgraded {
            upgrade(&mut work, name, upgraded).await?;
        }
        let expires_at = lease::end(work.tx.now(), lifetime);
        let new = NewToken {
            hash: hash_token(&token),
            owner: TokenOwner::User(user.id),
            name: LOGIN.to_owned(),
            scope: TokenScope::Full,
            expires_at: Some(expires_at),
        };
        work.tx.delete_tokens(user.id, &TokensToDelete::Expired).await?;
        work.tx.insert_token(new).await?;
        let user = account::view(work.tx.as_mut(), user).await?;
        work.commit().await?;
        Ok(SignedIn { token, expires_at, user })
    }

    /// Makes the credential of a worker that need not join, being in the same process; it does not expire.
    pub async fn create_worker_token(&self, worker: &WorkerId) -> Result<Secret> {
        check_worker_id(worker)?;
        let token = new_token("spw_")?;
        let mut work = self.work().await?;
        work.tx.insert_token(NewToken::of_worker(hash_token(&token), worker)).await?;
        work.commit().await?;
        Ok(token)
    }

    /// Whose a token is. The role is that in which the token lets its owner act.
    pub async fn authenticate(&self, token: &Secret) -> Result<TokenInfo> {
        let hash = hash_token(token);
        if let Some(known) = self.tokens.get(&hash) {
            self.touch(hash);
            return Ok(known);
        }
        let revocations = self.tokens.revocations();
        let mut tx = self.ports.store.read().await?;
        let mut found = tx.token(&hash).await?.ok_or_else(|| {
            Error::new(Reason::NotSignedIn, "the token is unknown or has expired; run `sproutctl login`")
        })?;
        if let Principal::User(user) = &mut found.principal {
            user.role = found.token.scope.acts_as(user.role);
        }
        self.tokens.put(hash.clone(), &found, tx.now(), revocations);
        self.touch(hash);
        Ok(found)
    }

    /// Writes down, now and then, that a token is used. Nobody waits for it, and that it is lost does no harm.
    fn touch(&self, hash: String) {
        if !self.tokens.is_to_be_touched(&hash) {
            return;
        }
        let store = self.ports.store.clone();
        tokio::spawn(async move {
            let touched: Result<()> = async {
                let mut tx = store.write().await?;
                tx.touch_token(&hash).await?;
                tx.commit().await
            }
            .await;
            if let Err(error) = touched {
                tracing::debug!(%error, "that a token is used was not written down");
            }
        });
    }

    /// A receiver that is marked changed when what is known of users and tokens may no longer hold.
    pub fn users_changed(&self) -> watch::Receiver<u64> {
        self.tokens.changes()
    }

    /// Runs what takes a core and 19 MiB for a while, no more of them at once than there are cores: the rest waits, however many strangers try passwords.
    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let _turn = self.hashing.acquire().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }

    /// Makes a token invalid.
    pub async fn logout(&self, caller: &str, token: &Secret) -> Result<()> {
        let mut work = self.work().await?;
        work.tx.delete_token(&hash_token(token)).await?;
        let message = format!("a token of {caller} was revoked");
        work.emit(NewEvent { user: Some(caller.to_owned()), ..NewEvent::new(EventKind::TokenRevoked, message) });
        let committed = work.commit().await;
        self.tokens.revoked();
        committed
    }
}

pub(crate) fn hash_token(token: &Secret) -> String {
    format!("{:x}", Sha256::digest(token.expose()))
}

pub(crate) fn new_token(prefix: &str) -> Result<Secret> {
    let mut bytes = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(Error::internal)?;
    Ok(Secret::new(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
}

fn hash_password(password: &Secret) -> Result<String> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.expose().as_bytes(), &salt).map_err(Error::internal)?;
    Ok(hash.to_string())
}

/// The hash of a password to be replaced, and what is to take its place.
struct Upgraded {
    from: String,
    to: String,
}

/// Whether the password matches, and if so, a hash of our own kind for one that is not.
fn verified(password: &Secret, hash: Option<String>) -> Result<(bool, Option<Upgraded>)> {
    if !verify_password(password, hash.as_deref()) {
        return Ok((false, None));
    }
    let upgraded = match hash.filter(|hash| django::is_hash(hash)) {
        Some(from) => Some(Upgraded { from, to: hash_password(password)? }),
        None => None,
    };
    Ok((true, upgraded))
}

/// Replaces the hash of a password, unless the password was changed meanwhile.
async fn upgrade(work: &mut Work, name: &str, hash: Upgraded) -> Result<()> {
    if let Some((user, now)) = work.tx.lock_user(name).await?
        && now == hash.from
    {
        work.tx.change_user(user.id, &UserChange { password_hash: Some(hash.to), ..UserChange::default() }).await?;
    }
    Ok(())
}

/// Takes as long for a user that does not exist, so that the time does not tell which names do.
fn verify_password(password: &Secret, hash: Option<&str>) -> bool {
    if let Some(hash) = hash.filter(|hash| django::is_hash(hash)) {
        return django::matches(password, hash);
    }
    let Some(Ok(hash)) = hash.map(PasswordHash::new) else {
        let _ = hash_password(password);
        return false;
    };
    Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_argon2id_and_verified() {
        let password = Secret::new("correct horse");
        let hash = hash_password(&password).unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify_password(&password, Some(&hash)));
        assert!(!verify_password(&Secret::new("wrong horse"), Some(&hash)));
        assert!(!verify_password(&password, None));
        assert!(!verify_password(&password, Some("not a hash")));
    }

    #[test]
    fn tokens_are_long_and_never_printed() {
        let token = new_token("spr_").unwrap();
        assert!(token.expose().len() > 40 && format!("{token:?}") == "[secret]");
        assert_eq!(hash_token(&token).len(), 64);
    }
}
