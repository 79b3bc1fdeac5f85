//! The connection to one engine: made at the first call, with a deadline on every call, and with what kind of engine it is.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, Docker, errors::Error, models::SystemVersion};

use super::{failure::Failure, settings::Socket};
use crate::driver::Result;

/// Time for calls that only look, or change what the engine keeps in memory.
pub(super) const QUICK: Duration = Duration::from_secs(10);
/// Time for calls that start or end processes and file systems.
pub(super) const SLOW: Duration = Duration::from_mins(1);
/// Time for copying the content of an appliance.
pub(super) const COPY: Duration = Duration::from_mins(10);

/// What an engine tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Podman's version; `None`: Docker, or something that does not say.
    pub(super) podman: Option<(u32, u32)>,
    /// Kind and version, for people.
    pub(super) version: String,
    /// Memory of its machine in bytes; `None`: not told.
    pub(super) memory_bytes: Option<u64>,
    /// CPUs of its machine; `None`: not told.
    pub(super) cpus: Option<u32>,
}

/// One engine.
#[derive(Debug)]
pub(super) struct Engine {
    socket: Socket,
    docker: OnceLock<Docker>,
    facts: Mutex<Option<Facts>>,
}

impl Engine {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, docker: OnceLock::new(), facts: Mutex::new(None) }
    }

    /// Whether the engine is on this machine, as far as the socket tells.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.socket, Socket::Unix(_))
    }

    /// Where the engine listens, for messages.
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Makes one call with a deadline. `what` completes "could not ..." in errors.
    pub(super) async fn call<T, F>(
        &self,
        deadline: Duration,
        what: &str,
        request: impl FnOnce(Docker) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let docker = self.docker().map_err(|error| Failure::read(what, &self.socket, error))?;
        match tokio::time::timeout(deadline, request(docker)).await {
            Ok(answer) => answer.map_err(|error| Failure::read(what, &self.socket, error)),
            Err(_) => Err(Failure::silent(what, &self.socket, deadline.as_secs())),
        }
    }

    /// What the engine told about itself when last asked; asks if it never was.
    pub(super) async fn facts(&self) -> Result<Facts, Failure> {
        match self.known_facts() {
            Some(facts) => Ok(facts),
            None => self.ask_facts().await,
        }
    }

    /// What the engine told about itself when last asked, if it was.
    pub(super) fn known_facts(&self) -> Option<Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the engine about itself.
    pub(super) async fn ask_facts(&self) -> Result<Facts, Failure> {
        let (version, info) = self
            .call(QUICK, "tell its version", |docker| async move {
                // Later calls speak the highest version of the API that both sides know.
                let docker = docker.negotiate_version().await?;
                tokio::try_join!(docker.version(), docker.info())
            })
            .await?;
        let (podman, version) = kind(&version);
        let facts = Facts {
            podman,
            version,
            memory_bytes: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0),
            cpus: info.ncpu.and_then(|cpus| u32::try_from(cpus).ok()).filter(|cpus| *cpus > 0),
        };
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts.clone());
        Ok(facts)
    }

    fn docker(&self) -> Result<Docker, Error> {
        if let Some(docker) = self.docker.get() {
            return Ok(docker.clone());
        }
        // The library's own time limit does not cover the body of an answer; ours, in `call`, always ends first.
        let limit = 2 * COPY.as_secs();
        let docker = match &self.socket {
            Socket::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), limit, API_DEFAULT_VERSION)?,
            Socket::Http(authority) => Docker::connect_with_http(authority, limit, API_DEFAULT_VERSION)?,
        };
        Ok(self.docker.get_or_init(|| docker).clone())
    }
}

/// Podman's version if it is Podman, and kind and version for people.
fn kind(version: &SystemVersion) -> (Option<(u32, u32)>, String) {
    let components = version.components.as_deref().unwrap_or_default();
    if let Some(podman) = components.iter().find(|component| component.name == "Podman Engine") {
        let mut numbers = podman.version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        return (Some(number), format!("Podman {}", podman.version));
    }
    (None, format!("Docker {}", version.version.as_deref().unwrap_or("of unknown version")))
}
