//! The files that a worker keeps of itself: one with what it was given, and one with what it has asked for. For its user only.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use sprout_conf::Secret;
use tonic::{
    Status,
    metadata::{Ascii, MetadataValue},
    transport::Identity as TlsIdentity,
};

use crate::session::Error;

/// What a worker proves itself with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Badge {
    /// Bearer token.
    #[serde(serialize_with = "expose")]
    pub(super) credential: Secret,
    /// Of the token it joined with.
    pub(super) join_token_hash: String,
    /// PEM.
    #[serde(serialize_with = "expose")]
    pub(super) private_key: Secret,
    /// PEM: the worker's, then the authority's. Empty: none.
    pub(super) certificates: String,
    pub(super) renew_at: Option<DateTime<Utc>>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl Badge {
    /// A credential alone.
    pub(super) fn bare(credential: Secret) -> Self {
        Self {
            credential,
            join_token_hash: String::new(),
            private_key: Secret::default(),
            certificates: String::new(),
            renew_at: None,
            expires_at: None,
        }
    }

    /// The header that carries the credential.
    pub(crate) fn bearer(&self) -> Result<MetadataValue<Ascii>, Status> {
        let mut bearer = MetadataValue::try_from(format!("Bearer {}", self.credential.expose()))
            .map_err(|_| Status::unauthenticated("this worker's credential has characters that no credential has"))?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }

    /// What is shown over TLS; nothing once it has expired, so that the server can say that it misses it.
    pub(crate) fn certificate(&self) -> Option<TlsIdentity> {
        self.expires_at.filter(|at| *at > Utc::now())?;
        Some(TlsIdentity::from_pem(&self.certificates, self.private_key.expose()))
    }
}

/// A key, and the request to have it certified.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Key {
    /// PEM.
    #[serde(serialize_with = "expose")]
    pub(super) private_key: Secret,
    /// DER.
    pub(super) signing_request: Vec<u8>,
}

/// What a worker asks for, or has asked for, when it joins.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    pub(super) join_token_hash: String,
    pub(super) key: Key,
}

/// The one place where secrets are written: a file that only this user reads.
fn expose<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// The files of one worker.
pub(super) struct Files {
    directory: PathBuf,
    badge: PathBuf,
    pending: PathBuf,
}

impl Files {
    /// Those of this worker in this directory, which is made if missing.
    pub(super) fn open(directory: &Path, id: &str) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| Error::State {
            path: directory.to_owned(),
            message: format!(
                "cannot be made: {error}; set worker.state_dir or --state-dir to one that this user can write"
            ),
        })?;
        Ok(Self {
            directory: directory.to_owned(),
            badge: directory.join(format!("{id}.json")),
            pending: directory.join(format!("{id}.joining.json")),
        })
    }

    /// What was given, if anything was.
    pub(super) fn badge(&self) -> Result<Option<Badge>, Error> {
        read(&self.badge).map_err(|message| Error::State { path: self.badge.clone(), message })
    }

    /// What was asked for, if anything was. What cannot be read (a machine that died while writing) is asked for anew.
    pub(super) fn pending(&self) -> Option<Pending> {
        read(&self.pending).unwrap_or_else(|error| {
            tracing::warn!(path = %self.pending.display(), error, "what this worker asked for when it joined is lost");
            None
        })
    }

    pub(super) fn write_badge(&self, badge: &Badge) -> Result<(), Status> {
        self.write(&self.badge, badge)
    }

    pub(super) fn write_pending(&self, pending: &Pending) -> Result<(), Status> {
        self.write(&self.pending, pending)
    }

    /// Forgets what was asked for: it was given.
    pub(super) fn forget_pending(&self) {
        if let Err(error) = fs::remove_file(&self.pending) {
            tracing::debug!(%error, "what this worker asked for when it joined is not deleted; it is of no use");
        }
    }

    /// Whole or not at all, also when the machine dies right now.
    fn write(&self, path: &Path, content: &impl Serialize) -> Result<(), Status> {
        let write = || -> io::Result<()> {
            let text = Secret::from(serde_json::to_string(content)?);
            let new = path.with_extension("new");
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.expose().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(&self.directory)?.sync_all()
        };
        // Worth another try: the disk may be full.
        write().map_err(|error| Status::unavailable(format!("{} cannot be written: {error}", path.display())))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Secret::from(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}; make it readable for this user")),
    };
    serde_json::from_str(text.expose()).map(Some).map_err(|error| {
        // The text of the error could hold a piece of the file; its place does not.
        let (line, column) = (error.line(), error.column());
        format!("is damaged at {line}:{column}; delete it and let the worker join again with a new join token")
    })
}
