//! What an engine's refusal or silence means. Engines say most of it in text only, and Docker and Podman differ in status
//! codes, so this is the one place that knows their words.

use std::{error::Error as _, io, os::unix::fs::FileTypeExt};

use bollard::errors::Error;

use super::settings::Socket;
use crate::driver::{DriverError, Reason};

/// A call to the engine that failed: what the engine said, if it said anything, and what that means unless the operation
/// knows better.
#[derive(Debug)]
pub(super) struct Failure {
    /// HTTP status and text of the engine's answer, in lower case; `None` without an answer.
    answer: Option<(u16, String)>,
    error: DriverError,
}

impl From<Failure> for DriverError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// Phrases by which engines tell that there is no room, now or ever.
const NO_ROOM: [&str; 9] = [
    "port is already allocated",
    "address already in use",
    "all ports are allocated",
    "range of cpus is from",
    "no space left on device",
    "cannot allocate memory",
    "disk quota exceeded",
    "no available ipv4 addresses",
    "failed to find free ip address",
];

impl Failure {
    /// Reads an error of the client library; `what` completes "could not ...".
    pub(super) fn read(what: &str, socket: &Socket, error: Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::refused(what, socket, status_code, &message)
            }
            error => Self { answer: None, error: unreachable(what, socket, &error) },
        }
    }

    /// No answer in time.
    pub(super) fn silent(what: &str, socket: &Socket, seconds: u64) -> Self {
        let message = format!(
            "the container engine on {socket} did not {what} within {seconds} s; see whether it hangs (its log, its load) \
             and restart it if so"
        );
        Self { answer: None, error: DriverError::new(Reason::Unreachable, message) }
    }

    fn refused(what: &str, socket: &Socket, status: u16, message: &str) -> Self {
        let message = message.trim();
        let text = message.to_lowercase();
        let (reason, advice) = if NO_ROOM.iter().any(|phrase| text.contains(phrase)) {
            (Reason::NoCapacity, "free some room there, or use another provider")
        } else {
            match status {
                401 | 403 => (Reason::AccessDenied, "let the worker use this engine"),
                400 => (Reason::Invalid, "correct the request or the provider's settings"),
                _ => (Reason::ProviderError, "see the engine's log"),
            }
        };
        let message = format!("the container engine on {socket} could not {what}: {message}; {advice}");
        Self { answer: Some((status, text)), error: DriverError::new(reason, message) }
    }

    /// The engine proved that it has no such container. A bare 404 proves nothing: anything may answer that. (Podman 4 answers
    /// 500 when the container goes while it is looked at.)
    pub(super) fn no_container(&self) -> bool {
        (self.answered(404) || self.answered(500)) && self.says("no such container")
    }

    /// The engine proved that it has no such image.
    pub(super) fn no_image(&self) -> bool {
        self.answered(404) && (self.says("no such image") || self.says("image not known"))
    }

    /// The name belongs to another container. (Podman 4 answers 500 on create, Docker 409.)
    pub(super) fn name_in_use(&self) -> bool {
        self.says("name") && self.says("already in use") && !self.says("address already in use")
    }

    /// The request fights with one under way, or with a use of the thing.
    pub(super) fn conflict(&self) -> bool {
        self.answered(409)
    }

    /// The engine does not know this part of the API: it has nothing of its own to say about the container.
    pub(super) fn no_endpoint(&self) -> bool {
        (self.answered(404) && !self.says("container")) || self.answered(405) || self.answered(501)
    }

    /// The engine's text has this phrase (lower case).
    pub(super) fn says(&self, phrase: &str) -> bool {
        self.answer.as_ref().is_some_and(|(_, text)| text.contains(phrase))
    }

    fn answered(&self, status: u16) -> bool {
        self.answer.as_ref().is_some_and(|(answer, _)| *answer == status)
    }
}

/// There was no answer of an engine: says why, as far as this machine can tell.
fn unreachable(what: &str, socket: &Socket, error: &Error) -> DriverError {
    const START: &str = "start Docker or Podman, or set the provider's `socket`";
    let no_connection = |message: String| DriverError::new(Reason::Unreachable, message);
    if let Error::SocketNotFoundError(_) = error {
        return no_socket(socket, START);
    }
    match (io_kind(error), socket) {
        (Some(io::ErrorKind::PermissionDenied), _) => DriverError::new(
            Reason::AccessDenied,
            format!(
                "this worker may not open {socket}; run it as a member of the socket's group, or set the provider's `socket`"
            ),
        ),
        (Some(io::ErrorKind::NotFound), _) => no_socket(socket, START),
        (Some(io::ErrorKind::ConnectionRefused), Socket::Unix(path)) => {
            // Connecting to something else than a socket is refused in the same way.
            let is_socket = std::fs::metadata(path).map_or(true, |meta| meta.file_type().is_socket());
            no_connection(if is_socket {
                format!("no container engine listens on {socket}; {START}")
            } else {
                format!("{} is no socket; set the provider's `socket` to that of Docker or Podman", path.display())
            })
        }
        (Some(io::ErrorKind::ConnectionRefused), Socket::Http(_)) => {
            no_connection(format!("no container engine listens on {socket}; {START}"))
        }
        _ => no_connection(format!(
            "what listens on {socket} broke off or answered unlike a container engine when asked to {what} ({}); \
             see the engine's log, or set the provider's `socket`",
            innermost(error)
        )),
    }
}

fn no_socket(socket: &Socket, advice: &str) -> DriverError {
    DriverError::new(Reason::Unreachable, format!("there is no socket {socket}; {advice}"))
}

/// Kind of the I/O error somewhere below, if there is one.
fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        source = error.source();
    }
    None
}

/// The first cause; what wraps it only says that a call failed.
fn innermost(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status_code: u16, message: &str) -> Failure {
        let error = Error::DockerResponseServerError { status_code, message: message.into() };
        Failure::read("start a", &Socket::Unix("/s".into()), error)
    }

    #[test]
    fn the_words_of_docker_and_podman_are_understood() {
        assert!(refused(404, "No such container: a").no_container());
        assert!(refused(404, "no container with name or ID \"a\" found: no such container").no_container());
        assert!(refused(500, "container 25bc does not exist in database: no such container").no_container());
        assert!(!refused(404, "404 page not found").no_container());
        assert!(refused(404, "No such image: a:1").no_image());
        assert!(refused(404, "no such image: docker.io/library/a:1: image not known").no_image());
        assert!(
            refused(409, "Conflict. The container name \"/a\" is already in use by container \"b\".").name_in_use()
        );
        assert!(refused(500, "container create: the container name \"a\" is already in use by b").name_in_use());
        assert!(refused(404, "Not Found").no_endpoint());
        assert!(!refused(404, "No such container: a").no_endpoint());
    }

    #[test]
    fn reasons_follow_from_text_before_status() {
        let reason = |status, text| DriverError::from(refused(status, text)).reason;
        let docker =
            "driver failed programming external connectivity: Bind for 127.0.0.1:80 failed: port is already allocated";
        assert_eq!(reason(500, docker), Reason::NoCapacity);
        let taken = refused(500, "rootlessport listen tcp 127.0.0.1:80: bind: address already in use");
        assert!(!taken.name_in_use());
        assert_eq!(DriverError::from(taken).reason, Reason::NoCapacity);
        assert_eq!(
            reason(400, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
            Reason::NoCapacity
        );
        assert_eq!(reason(400, "Minimum memory limit allowed is 6MB"), Reason::Invalid);
        assert_eq!(reason(403, "forbidden"), Reason::AccessDenied);
        assert_eq!(reason(500, "boom"), Reason::ProviderError);
    }
}
