//! How workers join, on the wire.

use std::time::Duration;

use sprout_app::{Admission, Certified};
use sprout_domain::{Error, Result, Secret, Timestamp, WorkerId};
use sprout_proto::worker as proto;

use super::{Wire, moment, optional_duration, span, text};

/// A worker that asks to join.
pub(crate) struct Join {
    pub(crate) token: Secret,
    pub(crate) worker: WorkerId,
    pub(crate) request: Vec<u8>,
}

impl TryFrom<Wire<proto::JoinRequest>> for Join {
    type Error = Error;

    fn try_from(Wire(wire): Wire<proto::JoinRequest>) -> Result<Self> {
        let token = Secret::new(wire.join_token);
        let worker = text("worker_id", wire.worker_id)?.as_str().into();
        Ok(Self { token, worker, request: wire.signing_request })
    }
}

/// A join token to be made.
pub(crate) struct NewJoinToken {
    pub(crate) worker: WorkerId,
    pub(crate) lifetime: Option<Duration>,
}

impl TryFrom<Wire<proto::CreateJoinTokenRequest>> for NewJoinToken {
    type Error = Error;

    fn try_from(Wire(wire): Wire<proto::CreateJoinTokenRequest>) -> Result<Self> {
        let worker = text("id", wire.id)?.as_str().into();
        Ok(Self { worker, lifetime: optional_duration("lifetime", wire.lifetime)? })
    }
}

impl From<Wire<(Secret, Timestamp)>> for proto::CreateJoinTokenResponse {
    fn from(Wire((token, expires_at)): Wire<(Secret, Timestamp)>) -> Self {
        Self { join_token: token.expose().to_owned(), expires_at: Some(moment(expires_at)) }
    }
}

impl From<Wire<(WorkerId, Timestamp)>> for proto::JoinToken {
    fn from(Wire((worker, expires_at)): Wire<(WorkerId, Timestamp)>) -> Self {
        Self { worker_id: worker.0, expires_at: Some(moment(expires_at)) }
    }
}

impl From<Wire<Admission>> for proto::JoinResponse {
    fn from(Wire(Admission { credential, certified }): Wire<Admission>) -> Self {
        let Certified { certificate, authority, valid_for } = certified;
        Self {
            credential: credential.expose().to_owned(),
            certificate_pem: certificate,
            authority_pem: authority,
            valid_for: Some(span(valid_for)),
        }
    }
}

impl From<Wire<Certified>> for proto::RenewCertificateResponse {
    fn from(Wire(Certified { certificate, authority, valid_for }): Wire<Certified>) -> Self {
        Self { certificate_pem: certificate, authority_pem: authority, valid_for: Some(span(valid_for)) }
    }
}
