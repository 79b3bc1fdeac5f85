//! Who is calling: reads the bearer token, asks whose it is, and holds that against the table of [`crate::access`]. Workers that come over TLS must
//! show their certificate, too.

use http::{HeaderMap, header::AUTHORIZATION};
use sprout_app::{App, Call};
use sprout_domain::{
    Error, Reason, Result, Secret, Timestamp, WorkerId,
    token::{Token, TokenScope},
    user::{Principal, Role, User},
};
use tonic::{
    Extensions, Status,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};

use crate::{
    access::{Access, Row},
    status::status,
};

/// The caller of an rpc that is not open to anyone, kept in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) principal: Principal,
    /// When the token used stops working.
    pub(crate) expires_at: Option<Timestamp>,
    /// What proves it.
    pub(crate) token: Secret,
    /// The token used.
    pub(crate) shown: Token,
}

impl Caller {
    /// The name of the user or worker.
    pub(crate) fn name(&self) -> &str {
        self.principal.name()
    }
}

/// What a connection tells of who is at its other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It is not encrypted (which only this machine's are), so nothing can be shown.
    Nothing,
    /// A certificate could have been shown, and was not.
    NoCertificate,
    /// The certificate of this worker, signed by the installation's authority.
    Worker(WorkerId),
    /// A certificate of the authority's that names nobody.
    Nobody,
}

impl Shown {
    /// From what the transport says of a connection. Certificates that the authority did not sign never came this far.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let Some(tls) = extensions.get::<TlsConnectInfo<TcpConnectInfo>>() else { return Self::Nothing };
        let chain = tls.peer_certs();
        match chain.as_ref().and_then(|chain| chain.first()) {
            None => Self::NoCertificate,
            Some(certificate) => sprout_app::certified_worker(certificate).map_or(Self::Nobody, Self::Worker),
        }
    }
}

/// The caller of a request that may come in, said to the call also if it may not; none where anyone may.
pub(crate) async fn admit(
    app: &App,
    row: Row,
    headers: &HeaderMap,
    extensions: &Extensions,
    call: &Call,
) -> Result<Option<Caller>> {
    let access = row.access;
    if access == Access::Anyone {
        return Ok(None);
    }
    let token = bearer(headers)?;
    let known = app.authenticate(&token).await?;
    call.by(known.principal.name(), &known.token.name);
    check(access, &known.principal)?;
    check_scope(row.scope, known.token.scope)?;
    if let (Access::Worker, Principal::Worker(worker)) = (access, &known.principal) {
        check_certificate(worker, &Shown::of(extensions))?;
    }
    Ok(Some(Caller { principal: known.principal, expires_at: known.token.expires_at, shown: known.token, token }))
}

fn bearer(headers: &HeaderMap) -> Result<Secret> {
    let missing =
        || Error::new(Reason::NotSignedIn, "the call carries no token; run `sproutctl login`, or set SPROUT_TOKEN");
    let value = headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(malformed());
    }
    Ok(Secret::new(token.trim()))
}

fn malformed() -> Error {
    Error::new(Reason::NotSignedIn, "the authorization header is not `Bearer TOKEN`; run `sproutctl login`")
}

fn check(access: Access, principal: &Principal) -> Result<()> {
    let denied = |message: &str| Err(Error::new(Reason::NotAllowed, message));
    let least = match (access, principal) {
        (Access::Anyone, _) | (Access::Worker, Principal::Worker(_)) => return Ok(()),
        (Access::Worker, Principal::User(_)) => {
            return denied("only workers may call this; use the token made for the worker");
        }
        (_, Principal::Worker(_)) => {
            return denied("this token is a worker's, for its session only; sign in as a user with `sproutctl login`");
        }
        (Access::User, _) => Role::User,
        (Access::Staff, _) => Role::Staff,
        (Access::Superuser, _) => Role::Superuser,
    };
    match principal {
        Principal::User(user) if user.role >= least => Ok(()),
        _ if least == Role::Superuser => denied("only superusers may do this; ask one of them"),
        _ => denied("only staff may do this; ask one of them"),
    }
}

fn check_scope(needed: TokenScope, scope: TokenScope) -> Result<()> {
    if scope >= needed {
        return Ok(());
    }
    let message = format!(
        "the token used is only for `{}`, and this needs one for `{}`; sign in with `sproutctl login`",
        scope.as_str(),
        needed.as_str()
    );
    Err(Error::new(Reason::ScopeTooNarrow, message).with("scope", needed.as_str()))
}

fn check_certificate(worker: &WorkerId, shown: &Shown) -> Result<()> {
    match shown {
        Shown::Nothing => Ok(()),
        Shown::Worker(shown) if shown == worker => Ok(()),
        Shown::NoCertificate => Err(Error::new(
            Reason::CertificateRequired,
            format!(
                "worker {worker} called over TLS without its certificate, or that has expired; let it join again with a token from \
                 `sproutctl worker token {worker}`"
            ),
        )),
        Shown::Worker(_) | Shown::Nobody => Err(Error::new(
            Reason::NotAllowed,
            format!(
                "the certificate shown is not that of worker {worker}, whose credential was used; let it join again with a token from \
                 `sproutctl worker token {worker}`"
            ),
        )),
    }
}

/// The caller, whoever it is. Without one (a service that was wired without the layer) the call is refused.
pub(crate) fn caller(extensions: &Extensions) -> Result<&Caller, Status> {
    let missing = || status(Error::new(Reason::NotSignedIn, "the call carries no token; run `sproutctl login`"));
    extensions.get::<Caller>().ok_or_else(missing)
}

/// The calling user.
pub(crate) fn user(extensions: &Extensions) -> Result<User, Status> {
    match &caller(extensions)?.principal {
        Principal::User(user) => Ok(user.clone()),
        Principal::Worker(_) => Err(status(Error::new(Reason::NotAllowed, "this call is for users"))),
    }
}

/// The calling worker.
pub(crate) fn worker(extensions: &Extensions) -> Result<WorkerId, Status> {
    match &caller(extensions)?.principal {
        Principal::Worker(worker) => Ok(worker.clone()),
        Principal::User(_) => Err(status(Error::new(Reason::NotAllowed, "this call is for workers"))),
    }
}
