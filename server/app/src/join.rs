//! How workers join: staff make a one-time join token for an id; whoever shows it first, with a key of its own, is that worker from then on.
//!
//! Joining is one transaction: the token is used up, credentials the worker had before are void, the new ones work. Its answer may be lost, so the
//! same request is answered alike again until the token expires. For that the certificate is kept, and the credential, of which only the hash is, can
//! be derived again.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sprout_domain::{
    Error, Reason, Result, Secret, Timestamp, WorkerId,
    event::{EventKind, NewEvent},
    lease,
};

use crate::{
    App,
    authority::{Authority, SigningRequest, VALIDITY},
    ports::{JoinToken, Joined, NewToken},
    user::{hash_token, new_token},
    work::repeated,
};

const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);
const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So long an expired token is told from an unknown one.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How join tokens begin, and how long they are.
const PREFIX: &str = "spj_";
const LENGTH: usize = PREFIX.len() + 43;

/// A worker's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The certificate, PEM.
    pub certificate: String,
    /// That of the authority that signed it, PEM.
    pub authority: String,
    /// How long it is valid still.
    pub valid_for: Duration,
}

/// What a worker that joined is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Bearer token for its calls.
    pub credential: Secret,
    /// Its certificate.
    pub certified: Certified,
}

impl App {
    /// Makes a join token for a worker, which may exist or not; returns when it expires, too.
    pub async fn create_join_token(
        &self,
        worker: &WorkerId,
        lifetime: Option<Duration>,
    ) -> Result<(Secret, Timestamp)> {
        check_worker_id(worker)?;
        let lifetime = lifetime.unwrap_or(DEFAULT_LIFETIME);
        if lifetime.is_zero() || lifetime > MAX_LIFETIME {
            return Err(Error::invalid("lifetime", "a join token lives at most 7 days; ask for less, e.g. 1h"));
        }
        let token = new_token(PREFIX)?;
        let mut work = self.work().await?;
        let now = work.tx.now();
        let expires_at = lease::end(now, lifetime);
        work.tx.forget_join_tokens(lease::begin(now, REMEMBERED)).await?;
        work.tx.insert_join_token(&hash_token(&token), worker, expires_at).await?;
        work.commit().await?;
        Ok((token, expires_at))
    }

    /// Join tokens that can be used still: whose they are, and until when.
    pub async fn unused_join_tokens(&self) -> Result<Vec<(WorkerId, Timestamp)>> {
        self.ports.store.read().await?.unused_join_tokens().await
    }

    /// Makes a worker's join tokens void that were not used; returns how many there were. What a worker got that joined with one stays good.
    pub async fn revoke_join_tokens(&self, worker: &WorkerId) -> Result<u64> {
        repeated(|| async move {
            let mut work = self.work().await?;
            let count = work.tx.revoke_join_tokens(worker).await?;
            work.commit().await?;
            Ok(count)
        })
        .await
    }

    /// Lets a worker join. `request`: its certificate signing request, DER.
    pub async fn join(&self, token: &Secret, worker: &WorkerId, request: &[u8]) -> Result<Admission> {
        check_worker_id(worker)?;
        // Anyone may call this: what cannot be a token costs nothing, and what is none only a look.
        let hash = (token.expose().len() == LENGTH && token.expose().starts_with(PREFIX)).then(|| hash_token(token));
        let hash = hash.ok_or_else(|| unknown(worker))?;
        let mut tx = self.ports.store.read().await?;
        let (known, now) = (tx.join_token(&hash, false).await?, tx.now());
        drop(tx);
        usable(known, worker, now)?;
        let request = SigningRequest::read(request)?;
        let authority = self.authority().await?;
        let credential = credential(authority, token, &request);
        let certified = repeated(|| self.join_with(&hash, worker, &request, authority, &credential)).await?;
        Ok(Admission { credential, certified })
    }

    async fn join_with(
        &self,
        hash: &str,
        worker: &WorkerId,
        request: &SigningRequest,
        authority: &Authority,
        credential: &Secret,
    ) -> Result<Certified> {
        let mut work = self.work().await?;
        let now = work.tx.now();
        let known = usable(work.tx.join_token(hash, true).await?, worker, now)?;
        let authority_pem = authority.certificate.clone();
        if let Some(Joined { at, request_hash, certificate }) = known.joined {
            if request_hash != request.hash {
                return Err(used(worker, at));
            }
            let age = (now - at).to_std().unwrap_or_default();
            let valid_for = VALIDITY.saturating_sub(age);
            return Ok(Certified { certificate, authority: authority_pem, valid_for });
        }
        let certificate = authority.certify(worker, request, now)?;
        if work.tx.delete_credentials(worker).await? {
            work.emit(NewEvent::new(
                EventKind::TokenRevoked,
                format!("worker {worker} joined anew; the credentials it had before are void"),
            ));
        }
        work.tx.insert_token(NewToken::of_worker(hash_token(credential), worker)).await?;
        let joined = Joined { at: now, request_hash: request.hash.clone(), certificate: certificate.clone() };
        work.tx.use_join_token(hash, &joined).await?;
        // Known from now on, whether it ever connects or not: it can be seen, drained and removed.
        work.tx.worker_joined(worker).await?;
        work.emit(NewEvent::of_worker(worker, "joined", format!("worker {worker} joined")));
        work.commit().await?;
        tracing::info!(%worker, "worker joined");
        Ok(Certified { certificate, authority: authority_pem, valid_for: VALIDITY })
    }

    /// The next certificate of a worker that has proven who it is. `request` as in [`App::join`].
    pub async fn renew_certificate(&self, worker: &WorkerId, request: &[u8]) -> Result<Certified> {
        let request = SigningRequest::read(request)?;
        let authority = self.authority().await?;
        let now = self.ports.store.read().await?.now();
        let certificate = authority.certify(worker, &request, now)?;
        tracing::info!(%worker, "certificate renewed");
        Ok(Certified { certificate, authority: authority.certificate.clone(), valid_for: VALIDITY })
    }
}

/// Checks the id of a worker.
pub(crate) fn check_worker_id(worker: &WorkerId) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if worker.0.is_empty() || worker.0.len() > 64 || !worker.0.chars().all(fine) {
        return Err(Error::invalid("worker_id", "a worker id has 1 to 64 characters: letters, digits, and ._-"));
    }
    Ok(())
}

fn credential(authority: &Authority, token: &Secret, request: &SigningRequest) -> Secret {
    let bits = authority.derive("credential of a worker", token, request);
    Secret::new(format!("spw_{}", BASE64_URL_SAFE_NO_PAD.encode(bits)))
}

/// The token, if this worker may join with it now, or may have joined with it.
fn usable(token: Option<JoinToken>, worker: &WorkerId, now: Timestamp) -> Result<JoinToken> {
    let token = token.ok_or_else(|| unknown(worker))?;
    if token.worker != *worker {
        let message = format!("the join token was made for another worker than {worker}; {}", make(worker));
        return Err(Error::new(Reason::NotAllowed, message));
    }
    if token.expires_at <= now {
        let message =
            format!("the join token of worker {worker} expired at {}; {}", told(token.expires_at), make(worker));
        return Err(Error::new(Reason::JoinTokenExpired, message));
    }
    Ok(token)
}

fn unknown(worker: &WorkerId) -> Error {
    Error::new(Reason::JoinTokenUnknown, format!("there is no such join token; {}", make(worker)))
}

fn used(worker: &WorkerId, at: Timestamp) -> Error {
    let message = format!("a worker joined with this join token of {worker} at {} already; {}", told(at), make(worker));
    Error::new(Reason::JoinTokenUsed, message)
}

fn make(worker: &WorkerId) -> String {
    format!("make one with `sproutctl worker token {worker}`")
}

fn told(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
