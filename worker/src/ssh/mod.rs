//! Doing things inside of an appliance over SSH.
//!
//! A server shows a key before anybody signs in. The first one that an appliance shows is its own for as long as it lives; with another one
//! nobody signs in, whatever it says. Nothing of what is done here outlives its connection but what a script has changed, which is why all of it can be
//! done again from the beginning.

mod command;
mod session;

use std::{io, sync::Arc};

use russh::{
    client,
    keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key},
};
use sprout_proto::{appliance::Endpoint, task::SshAccess};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Duration, timeout},
};

pub(crate) use self::{
    command::{run_script, write_file},
    session::{Bounds, Ended, Line, Session},
};
use crate::driver::{DriverError, Reason};

/// Until a connection is there, and until both sides agree on keys.
const CONNECT: Duration = Duration::from_secs(15);
/// Until a server says whether it lets us in. Some take their time with it.
const SIGN_IN: Duration = Duration::from_secs(60);
/// A server that says nothing is asked whether it lives this often.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Why something over SSH failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no connection, or not in time: the server may not be up yet.
    NoConnection(String),
    /// The connection ended before what was begun did.
    Lost(String),
    /// The server showed another key than before.
    KeyChanged(String),
    /// It does not let us in.
    Refused(String),
    /// The two sides have nothing in common, or we were told nonsense.
    Unusable(String),
}

impl Trouble {
    /// What a step says of it.
    pub(crate) fn into_error(self) -> DriverError {
        let (reason, message) = match self {
            Self::NoConnection(message) | Self::Lost(message) => (Reason::Unreachable, message),
            Self::KeyChanged(message) | Self::Refused(message) => (Reason::AccessDenied, message),
            Self::Unusable(message) => (Reason::Invalid, message),
        };
        DriverError::new(reason, message)
    }
}

/// What a server shows, and what it must show.
struct Keys {
    /// Empty: any.
    pinned: String,
    shown: watch::Sender<String>,
}

impl client::Handler for Keys {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let shown = key.public_key().to_openssh().map_err(|_| russh::Error::CouldNotReadKey)?;
        let shown = shown.trim().to_owned();
        let fits = self.pinned.is_empty() || self.pinned == shown;
        self.shown.send_replace(shown);
        Ok(fits)
    }
}

/// The key that the server shows. Nobody signs in.
pub(crate) async fn host_key(endpoint: &Endpoint, pinned: &str) -> Result<String, Trouble> {
    let (handle, shown) = connected(endpoint, pinned).await?;
    let _ = handle.disconnect(russh::Disconnect::ByApplication, "", "en").await; // it ends anyway
    Ok(shown)
}

/// Signs in.
pub(crate) async fn sign_in(access: &SshAccess, endpoint: &Endpoint) -> Result<Session, Trouble> {
    if access.host_key.is_empty() {
        return Err(Trouble::Unusable("the key of the SSH server is not known; report this as a mistake".to_owned()));
    }
    let (mut handle, _) = connected(endpoint, &access.host_key).await?;
    let at = at(endpoint);
    let SshAccess { username, password, private_key, .. } = access;
    let signing_in = async {
        let mut refused = Vec::new();
        if !private_key.is_empty() {
            let key = decode_secret_key(private_key, None).map_err(|_| {
                let message = "the private key in the credentials cannot be read; write one in the format of OpenSSH, Ed25519 or ECDSA, without a passphrase";
                Trouble::Unusable(message.to_owned())
            })?;
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
            match handle.authenticate_publickey(username.clone(), key).await {
                Ok(answer) if answer.success() => return Ok(()),
                Ok(_) => refused.push("key"),
                Err(error) => return Err(lost(endpoint, &error)),
            }
        }
        if !password.is_empty() {
            match handle.authenticate_password(username.clone(), password.clone()).await {
                Ok(answer) if answer.success() => return Ok(()),
                Ok(_) => refused.push("password"),
                Err(error) => return Err(lost(endpoint, &error)),
            }
        }
        let with = if refused.is_empty() { "nothing".to_owned() } else { refused.join(" and ") };
        Err(Trouble::Refused(format!(
            "the SSH server at {at} does not let {username} in with the {with} of the credentials; correct them in credentials.yaml, or the template"
        )))
    };
    let late = || {
        Trouble::NoConnection(format!(
            "the SSH server at {at} did not let {username} in within {} s",
            SIGN_IN.as_secs()
        ))
    };
    timeout(SIGN_IN, signing_in).await.unwrap_or_else(|_| Err(late()))?;
    Ok(Session::new(handle, at))
}

async fn connected(endpoint: &Endpoint, pinned: &str) -> Result<(client::Handle<Keys>, String), Trouble> {
    let at = at(endpoint);
    let port = u16::try_from(endpoint.port).map_err(|_| Trouble::Unusable(format!("{} is no port", endpoint.port)))?;
    let config = client::Config {
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        ..client::Config::default()
    };
    let (shown, mut seen) = watch::channel(String::new());
    let keys = Keys { pinned: pinned.to_owned(), shown };
    let connecting = async {
        let stream = TcpStream::connect((endpoint.host.as_str(), port))
            .await
            .map_err(|error| Trouble::NoConnection(format!("no SSH server answers at {at}: {}", plain(&error))))?;
        client::connect_stream(Arc::new(config), stream, keys).await.map_err(|error| {
            let shown = seen.borrow_and_update().clone();
            if !pinned.is_empty() && !shown.is_empty() && shown != pinned {
                return Trouble::KeyChanged(format!(
                    "the SSH server at {at} showed another host key than before ({}, and not {}): something else may answer there, so nobody signed in; \
                     if a script makes new keys, let it do so when the appliance is sealed",
                    short(&shown),
                    short(pinned)
                ));
            }
            match error {
                russh::Error::NoCommonAlgo { .. } => {
                    Trouble::Unusable(format!("the SSH server at {at} offers nothing that is safe: {error}"))
                }
                error => Trouble::NoConnection(format!("no SSH server answers at {at}: {error}")),
            }
        })
    };
    let late =
        || Trouble::NoConnection(format!("no SSH server answers at {at}: it said nothing for {} s", CONNECT.as_secs()));
    let handle = timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(late()))?;
    let shown = seen.borrow().clone();
    Ok((handle, shown))
}

fn lost(endpoint: &Endpoint, error: &russh::Error) -> Trouble {
    Trouble::Lost(format!("the connection to the SSH server at {} ended: {error}", at(endpoint)))
}

fn at(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.host, endpoint.port)
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::HostUnreachable => "host unreachable".to_owned(),
        _ => error.to_string(),
    }
}

/// Enough of a key to tell it from another.
fn short(key: &str) -> String {
    let mut words = key.split_whitespace();
    let (kind, data) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    format!("{kind} …{}", &data[data.len().saturating_sub(12)..])
}
