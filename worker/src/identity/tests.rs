//! Joining and renewing, at a server in this process that answers as the test says.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use sprout_proto::worker::{JoinRequest, JoinResponse, RenewCertificateRequest, RenewCertificateResponse};
use tokio::{net::TcpListener, sync::watch};
use tonic::Status;

use super::{Files, Identity, Joining};
use crate::{
    Leave, Options, run,
    session::{
        Error,
        tests::{next_session, options, serve_on, within},
    },
};

/// What a server of tests answers to workers that join, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    /// Asked so far: the token, or "renew", and the request.
    asked: Mutex<Vec<(String, Vec<u8>)>>,
    /// Refusals to come.
    refusals: Mutex<Vec<Status>>,
    /// How long its certificates are valid.
    valid_for: Mutex<Duration>,
}

impl Joins {
    pub(crate) fn join(&self, request: JoinRequest) -> Result<JoinResponse, Status> {
        self.asked.lock().unwrap().push((request.join_token, request.signing_request));
        match self.refusals.lock().unwrap().pop() {
            Some(refusal) => Err(refusal),
            None => Ok(JoinResponse {
                credential: "good".to_owned(),
                certificate_pem: "certificate\n".to_owned(),
                authority_pem: "authority\n".to_owned(),
                valid_for: (*self.valid_for.lock().unwrap()).try_into().ok(),
            }),
        }
    }

    pub(crate) fn renew(&self, request: RenewCertificateRequest) -> RenewCertificateResponse {
        self.asked.lock().unwrap().push(("renew".to_owned(), request.signing_request));
        RenewCertificateResponse {
            certificate_pem: "renewed\n".to_owned(),
            authority_pem: "authority\n".to_owned(),
            valid_for: Duration::from_secs(3600).try_into().ok(),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(token, _)| token.clone()).collect()
    }

    fn requests(&self) -> Vec<Vec<u8>> {
        self.asked.lock().unwrap().iter().map(|(_, request)| request.clone()).collect()
    }
}

/// A worker that keeps its state in this directory, and starts with this token.
fn joining(address: std::net::SocketAddr, state_dir: &Path, token: Option<&str>) -> Options {
    let joining = Joining {
        state_dir: state_dir.to_owned(),
        join_token: token.map(|token| token.to_owned().into()),
        join_token_file: None,
    };
    Options { identity: Identity::Joined(joining), ..options(address, "", false).1 }
}

struct Bench {
    joins: Arc<Joins>,
    sessions: crate::session::tests::Sessions,
    address: std::net::SocketAddr,
    directory: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let joins = Arc::new(Joins { valid_for: Mutex::new(Duration::from_secs(3600)), ..Joins::default() });
        let (_server, sessions) = serve_on(listener, false, Arc::clone(&joins));
        Self { joins, sessions, address, directory: tempfile::tempdir().unwrap() }
    }

    fn state(&self) -> std::path::PathBuf {
        self.directory.path().join("state")
    }

    /// Runs a worker until its session began.
    async fn serves(&mut self, token: Option<&str>) {
        let (_leave, level) = watch::channel(Leave::Stay);
        let worker = tokio::spawn(run(joining(self.address, &self.state(), token), level));
        next_session(&mut self.sessions).await;
        worker.abort();
    }

    /// Runs a worker to its end.
    async fn ends(&self, token: Option<&str>) -> Error {
        let (_leave, level) = watch::channel(Leave::Stay);
        within(run(joining(self.address, &self.state(), token), level)).await.unwrap_err()
    }

    fn kept(&self) -> String {
        fs::read_to_string(self.state().join("lab-1.json")).unwrap()
    }
}

#[tokio::test]
async fn a_worker_joins_once_and_keeps_what_it_is_given_to_itself() {
    let mut bench = Bench::new().await;
    bench.serves(Some("one")).await;
    bench.serves(None).await;
    bench.serves(Some("one")).await;
    bench.serves(Some("two")).await;
    assert_eq!(bench.joins.asked(), ["one"], "a new token is not used while there is no need");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&bench.state()), mode(&bench.state().join("lab-1.json"))), (0o700, 0o600));
    let names: Vec<_> = fs::read_dir(bench.state()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["lab-1.json"]);
    assert!(bench.kept().contains("certificate\\nauthority\\n") && !bench.kept().contains("\"one\""));
}

#[tokio::test]
async fn a_join_whose_answer_was_lost_is_repeated_word_for_word() {
    let mut bench = Bench::new().await;
    bench.joins.refusals.lock().unwrap().push(Status::unavailable("the connection broke"));
    bench.serves(Some("one")).await;
    let requests = bench.joins.requests();
    assert!(requests.len() == 2 && requests[0] == requests[1]);

    // And in another life: the answer came, and was not written down.
    fs::remove_file(bench.state().join("lab-1.json")).unwrap();
    bench.joins.refusals.lock().unwrap().push(Status::unauthenticated("no"));
    bench.ends(Some("two")).await;
    bench.serves(Some("two")).await;
    let requests = bench.joins.requests();
    assert!(requests.len() == 4 && requests[2] == requests[3] && requests[1] != requests[2]);
}

#[tokio::test]
async fn a_worker_that_is_refused_joins_anew_if_it_can() {
    let mut bench = Bench::new().await;
    bench.serves(Some("one")).await;
    let void = bench.kept().replace("\"good\"", "\"void\"");
    fs::write(bench.state().join("lab-1.json"), &void).unwrap();
    for token in [None, Some("one")] {
        let message = bench.ends(token).await.to_string();
        assert!(message.contains("unknown token") && message.contains("sproutctl worker token lab-1"), "{message}");
    }
    bench.serves(Some("two")).await;
    assert_eq!(bench.joins.asked(), ["one", "two"]);
    assert!(bench.kept().contains("\"good\""));
}

#[tokio::test]
async fn a_certificate_is_renewed_in_time() {
    let mut bench = Bench::new().await;
    *bench.joins.valid_for.lock().unwrap() = Duration::from_millis(500);
    let (_leave, level) = watch::channel(Leave::Stay);
    let worker = tokio::spawn(run(joining(bench.address, &bench.state(), Some("one")), level));
    next_session(&mut bench.sessions).await;
    within(async {
        while !bench.kept().contains("renewed") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let requests = bench.joins.requests();
    assert_eq!(bench.joins.asked(), ["one", "renew"]);
    assert_ne!(requests[0], requests[1], "with a new key");
    worker.abort();
    bench.serves(None).await;
}

#[tokio::test]
async fn what_stands_in_the_way_of_joining_is_told() {
    let bench = Bench::new().await;
    let message = bench.ends(None).await.to_string();
    assert!(message.contains("has not joined yet") && message.contains("sproutctl worker token lab-1"), "{message}");
    fs::write(bench.state().join("lab-1.json"), "{\"credential\": \"sec").unwrap();
    let message = bench.ends(Some("one")).await.to_string();
    assert!(message.contains("is damaged at 1:") && !message.contains("sec\""), "{message}");
    let file = bench.directory.path().join("file");
    fs::write(&file, "").unwrap();
    let message = Files::open(&file, "lab-1").err().unwrap().to_string();
    assert!(message.contains("cannot be made") && message.contains("--state-dir"), "{message}");
}
