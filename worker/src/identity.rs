//! Who this worker is, and what proves it: a credential, a certificate and the key of that, kept in a directory from the first start on.
//!
//! They are had by joining with a one-time token. Key and request are written down before the server is asked, so that a worker that dies before it
//! has written the answer down asks the same again, and is answered alike.

mod files;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest as _, Sha256};
use sprout_conf::Secret;
use sprout_proto::worker::{
    JoinRequest, RenewCertificateRequest, RenewCertificateResponse, worker_service_client::WorkerServiceClient,
};
use tokio::sync::watch;
use tonic::{Request, Status, transport::Channel};

pub(crate) use self::files::Badge;
use self::files::{Files, Key, Pending};
use crate::{crash::crash_point, session::Error};

/// How a worker proves who it is.
#[derive(Debug)]
pub enum Identity {
    /// By this credential: made for a worker in the process of its server.
    Credential(Secret),
    /// By what it was given when it joined.
    Joined(Joining),
}

/// Nothing is kept, and there is no join token.
impl Default for Identity {
    fn default() -> Self {
        Self::Joined(Joining::default())
    }
}

/// Where what proves a worker's identity is kept, and how it is had.
#[derive(Debug, Clone, Default)]
pub struct Joining {
    /// Directory for it, made if missing.
    pub state_dir: PathBuf,
    /// Join token; before the file.
    pub join_token: Option<Secret>,
    /// File with a join token; need not be there once the worker has joined.
    pub join_token_file: Option<PathBuf>,
}

impl Joining {
    /// The join token there is now; none if none was given, or its file is gone.
    fn token(&self) -> Result<Option<Secret>, Error> {
        let Some(path) = self.join_token_file.as_ref().filter(|_| self.join_token.is_none()) else {
            return Ok(self.join_token.clone());
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => Secret::from(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let message = format!("the file with the join token, {}, cannot be read: {error}", path.display());
                return Err(Error::Options(format!("{message}; make it readable for this user")));
            }
        };
        let token = text.expose().trim();
        Ok((!token.is_empty()).then(|| Secret::from(token.to_owned())))
    }
}

/// This worker's identity, shared by all that talk to servers.
pub(crate) struct Holder {
    id: String,
    kept: Option<(Joining, Files)>,
    badge: Mutex<Option<Arc<Badge>>>,
    /// Whoever changes what is kept does it alone.
    changing: tokio::sync::Mutex<()>,
    changed: watch::Sender<()>,
}

impl Holder {
    /// Reads what is kept.
    pub(crate) fn open(id: &str, identity: Identity) -> Result<Self, Error> {
        let (kept, badge) = match identity {
            Identity::Credential(credential) => (None, Some(Badge::bare(credential))),
            Identity::Joined(joining) => {
                let files = Files::open(&joining.state_dir, id)?;
                let badge = files.badge()?;
                if badge.is_none() && joining.token()?.is_none() {
                    return Err(Error::NotJoined { id: id.to_owned(), state_dir: joining.state_dir });
                }
                (Some((joining, files)), badge)
            }
        };
        let badge = Mutex::new(badge.map(Arc::new));
        Ok(Self {
            id: id.to_owned(),
            kept,
            badge,
            changing: tokio::sync::Mutex::default(),
            changed: watch::channel(()).0,
        })
    }

    /// What it has now.
    pub(crate) fn badge(&self) -> Option<Arc<Badge>> {
        self.badge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, badge: Badge) -> Arc<Badge> {
        let badge = Arc::new(badge);
        *self.badge.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&badge));
        self.changed.send_replace(());
        badge
    }

    /// How long until the certificate is to be renewed; none if there is none, or it needs none.
    pub(crate) fn renew_in(&self) -> Option<std::time::Duration> {
        let due = self.badge()?.renew_at?;
        Some((due - Utc::now()).to_std().unwrap_or_default())
    }

    /// A receiver that is marked changed when the badge changed.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A join token that this worker has not joined with yet, if there is one.
    pub(crate) fn fresh_token(&self) -> Result<Option<Secret>, Status> {
        let Some((joining, _)) = &self.kept else { return Ok(None) };
        let token = joining.token().map_err(|error| Status::unauthenticated(error.to_string()))?;
        let used = self.badge().map(|badge| badge.join_token_hash.clone());
        Ok(token.filter(|token| used.as_ref() != Some(&hash(token))))
    }

    /// Joins at this server, with a join token not used yet.
    pub(crate) async fn join(&self, channel: Channel, token: &Secret) -> Result<Arc<Badge>, Status> {
        let Some((_, files)) = &self.kept else {
            return Err(Status::unauthenticated("this worker's credential was made for it, and is refused"));
        };
        let _alone = self.changing.lock().await;
        let join_token_hash = hash(token);
        let pending = match files.pending() {
            Some(pending) if pending.join_token_hash == join_token_hash => pending,
            _ => {
                let pending = Pending { join_token_hash: join_token_hash.clone(), key: new_key()? };
                files.write_pending(&pending)?;
                pending
            }
        };
        let request = JoinRequest {
            join_token: token.expose().to_owned(),
            worker_id: self.id.clone(),
            signing_request: pending.key.signing_request.clone(),
        };
        crash_point("join", "before");
        let answer = WorkerServiceClient::new(channel).join(request).await?.into_inner();
        crash_point("join", "after");
        let certified = RenewCertificateResponse {
            certificate_pem: answer.certificate_pem,
            authority_pem: answer.authority_pem,
            valid_for: answer.valid_for,
        };
        let badge = badge(answer.credential.into(), join_token_hash, pending.key, certified)?;
        files.write_badge(&badge)?;
        files.forget_pending();
        tracing::info!(id = self.id, "this worker has joined; it needs no join token from now on");
        Ok(self.set(badge))
    }

    /// Has a new certificate made by this server.
    pub(crate) async fn renew(&self, channel: Channel) -> Result<(), Status> {
        let (Some((_, files)), _alone) = (&self.kept, self.changing.lock().await) else { return Ok(()) };
        let Some(old) = self.badge() else { return Ok(()) };
        let key = new_key()?;
        let request = RenewCertificateRequest { signing_request: key.signing_request.clone() };
        let mut request = Request::new(request);
        request.metadata_mut().insert("authorization", old.bearer()?);
        let answer = WorkerServiceClient::new(channel).renew_certificate(request).await?.into_inner();
        let badge = badge(old.credential.clone(), old.join_token_hash.clone(), key, answer)?;
        files.write_badge(&badge)?;
        self.set(badge);
        tracing::info!(id = self.id, "the certificate of this worker was renewed");
        Ok(())
    }
}

/// From an answer. Times are counted from now, by this machine's clock.
fn badge(
    credential: Secret,
    join_token_hash: String,
    key: Key,
    certified: RenewCertificateResponse,
) -> Result<Badge, Status> {
    let incomplete = || Status::unavailable("the server's answer is incomplete");
    let valid_for =
        certified.valid_for.and_then(|span| std::time::Duration::try_from(span).ok()).ok_or_else(incomplete)?;
    let valid_for = TimeDelta::from_std(valid_for).map_err(|_| incomplete())?;
    if credential.expose().is_empty() || certified.certificate_pem.is_empty() {
        return Err(incomplete());
    }
    let now: DateTime<Utc> = Utc::now();
    Ok(Badge {
        credential,
        join_token_hash,
        private_key: key.private_key,
        certificates: certified.certificate_pem + &certified.authority_pem,
        // Before 2/3 of its time are over.
        renew_at: Some(now + valid_for * 3 / 5),
        expires_at: Some(now + valid_for),
    })
}

fn new_key() -> Result<Key, Status> {
    let failed = |error: rcgen::Error| Status::unavailable(format!("no key can be made: {error}"));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let signing_request = CertificateParams::default().serialize_request(&key).map_err(failed)?.der().to_vec();
    Ok(Key { private_key: key.serialize_pem().into(), signing_request })
}

fn hash(token: &Secret) -> String {
    format!("{:x}", Sha256::digest(token.expose()))
}
