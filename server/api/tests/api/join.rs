//! How workers join, what of it is refused, and what a certificate is worth over TLS.

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest as _, Sha256};
use sprout_api::Forwarders;
use sprout_app::{
    App, LocalBus,
    ports::{Ports, Store as _},
};
use sprout_domain::Catalogue;
use sprout_proto::worker::{
    CreateJoinTokenRequest, CreateJoinTokenResponse, DrainWorkerRequest, JoinRequest, JoinResponse,
    ListJoinTokensRequest, ListWorkersRequest, RemoveWorkerRequest, RenewCertificateRequest, RevokeJoinTokensRequest,
    session_response::Message::Welcome, worker_service_client::WorkerServiceClient,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code, Status,
    service::interceptor::InterceptedService,
    transport::{Certificate, Channel, ClientTlsConfig, Identity, Server, ServerTlsConfig},
};

use crate::support::{Bearer, Connection, Greeter, Served, VERSION, assert_refused, field, soon};

on_each_database!(
    a_token_lets_one_worker_join_once,
    a_lost_answer_is_given_again,
    tokens_that_are_void_are_refused,
    joining_anew_voids_what_was_given_before,
    a_removed_worker_has_nothing_left,
    join_tokens_are_made_within_limits,
    a_worker_that_never_connected_is_listed_and_removed,
    join_tokens_that_were_not_used_are_listed_and_revoked,
    over_tls_a_session_needs_the_certificate_of_its_worker,
    all_servers_are_one_authority,
);

/// A worker about to join.
struct Applicant {
    key: KeyPair,
    request: JoinRequest,
}

impl Applicant {
    fn new(id: &str, token: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let signing_request = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
        let request = JoinRequest { join_token: token.to_owned(), worker_id: id.to_owned(), signing_request };
        Self { key, request }
    }

    async fn join(&self, served: &Served) -> Result<JoinResponse, Status> {
        let mut anyone = WorkerServiceClient::new(served.with_token(None));
        Ok(anyone.join(self.request.clone()).await?.into_inner())
    }

    /// Joins with a token made for it.
    async fn admitted(served: &Served, id: &str) -> anyhow::Result<(Self, JoinResponse)> {
        let applicant = Self::new(id, &token(served, id).await?.join_token);
        let joined = applicant.join(served).await?;
        Ok((applicant, joined))
    }
}

async fn token(served: &Served, id: &str) -> anyhow::Result<CreateJoinTokenResponse> {
    let request = CreateJoinTokenRequest { id: id.to_owned(), lifetime: None };
    Ok(served.staff().await?.workers.create_join_token(request).await?.into_inner())
}

/// Whom a session greets.
async fn greeted(connection: Connection) -> Result<String, Status> {
    let mut session = WorkerServiceClient::new(connection).session(tokio_stream::empty()).await?.into_inner();
    match session.message().await?.and_then(|response| response.message) {
        Some(Welcome(welcome)) => Ok(welcome.server_version),
        other => panic!("not a welcome: {other:?}"),
    }
}

async fn a_token_lets_one_worker_join_once(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let made = token(&served, "w1").await?;
    assert!(made.join_token.starts_with("spj_") && made.expires_at.is_some());
    let first = Applicant::new("w1", &made.join_token);
    let joined = first.join(&served).await?;
    assert!(joined.credential.starts_with("spw_") && joined.authority_pem.starts_with("-----BEGIN CERTIFICATE"));
    assert_eq!(joined.valid_for.map(|span| span.seconds), Some(90 * 86_400));
    assert_eq!(greeted(served.with_token(Some(joined.credential))).await?, "w1");

    let second = Applicant::new("w1", &made.join_token).join(&served).await;
    assert_refused(second, Code::Unauthenticated, "JOIN_TOKEN_USED", "make one with `sproutctl worker token w1`");
    Ok(())
}

async fn a_lost_answer_is_given_again(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let worker = Applicant::new("w1", &token(&served, "w1").await?.join_token);
    // All at once, as after time-outs.
    let answers = futures::future::try_join_all((0..4).map(|_| worker.join(&served))).await?;
    for answer in &answers {
        assert_eq!(
            (&answer.credential, &answer.certificate_pem, &answer.authority_pem),
            (&answers[0].credential, &answers[0].certificate_pem, &answers[0].authority_pem)
        );
        assert_eq!(greeted(served.with_token(Some(answer.credential.clone()))).await?, "w1");
    }
    Ok(())
}

async fn tokens_that_are_void_are_refused(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let never_made = format!("spj_{}", "a".repeat(43));
    for unknown in ["", "spj_short", &never_made, &format!("spr_{}", "a".repeat(43)), &"x".repeat(100_000)] {
        let refused = Applicant::new("w1", unknown).join(&served).await;
        assert_refused(refused, Code::Unauthenticated, "JOIN_TOKEN_UNKNOWN", "sproutctl worker token w1");
    }
    let mut tx = served.database.store().write().await?;
    let a_second_ago = tx.now() - std::time::Duration::from_secs(1);
    tx.insert_join_token(&format!("{:x}", Sha256::digest(&never_made)), &"w1".into(), a_second_ago).await?;
    tx.commit().await?;
    let refused = Applicant::new("w1", &never_made).join(&served).await;
    assert_refused(refused, Code::Unauthenticated, "JOIN_TOKEN_EXPIRED", "sproutctl worker token w1");

    let made = token(&served, "w1").await?.join_token;
    let refused = Applicant::new("w2", &made).join(&served).await;
    let status = assert_refused(refused, Code::PermissionDenied, "NOT_ALLOWED", "made for another worker than w2");
    assert!(!status.message().contains("w1"), "whose it is, is not told: {}", status.message());
    let mut nonsense = Applicant::new("w1", &made);
    nonsense.request.signing_request.truncate(50);
    assert_eq!(
        field(&assert_refused(nonsense.join(&served).await, Code::InvalidArgument, "INVALID_ARGUMENT", "PKCS #10")),
        "signing_request"
    );
    Applicant::new("w1", &made).join(&served).await?; // none of that used it up
    Ok(())
}

async fn joining_anew_voids_what_was_given_before(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let (_, before) = Applicant::admitted(&served, "w1").await?;
    let (_, others) = Applicant::admitted(&served, "w2").await?;
    assert_eq!(greeted(served.with_token(Some(before.credential.clone()))).await?, "w1");
    let (_, after) = Applicant::admitted(&served, "w1").await?;
    assert_eq!(greeted(served.with_token(Some(after.credential))).await?, "w1");
    assert_eq!(greeted(served.with_token(Some(others.credential))).await?, "w2");
    let old = async {
        // What was remembered of it is forgotten with the event, which is read at once.
        while greeted(served.with_token(Some(before.credential.clone()))).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon(old).await
}

async fn a_removed_worker_has_nothing_left(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let (worker, joined) = Applicant::admitted(&served, "w1").await?;
    let unused = token(&served, "w1").await?.join_token;
    crate::worker::connect(&served, "w1").await?;
    served.staff().await?.workers.remove_worker(RemoveWorkerRequest { id: "w1".to_owned() }).await?;
    let refused = greeted(served.with_token(Some(joined.credential))).await;
    assert_refused(refused, Code::Unauthenticated, "NOT_SIGNED_IN", "token");
    for applicant in [worker, Applicant::new("w1", &unused)] {
        assert_refused(
            applicant.join(&served).await,
            Code::Unauthenticated,
            "JOIN_TOKEN_UNKNOWN",
            "no such join token",
        );
    }
    Ok(())
}

async fn a_worker_that_never_connected_is_listed_and_removed(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    let (_, joined) = Applicant::admitted(&served, "w1").await?;
    let workers = staff.workers.list_workers(ListWorkersRequest {}).await?.into_inner().workers;
    let found: Vec<_> = workers.iter().map(|worker| (&*worker.id, worker.connected, &*worker.version)).collect();
    assert_eq!(found, [("w1", false, "")]);
    // What is decided of it before it comes is kept.
    staff.workers.drain_worker(DrainWorkerRequest { id: "w1".to_owned() }).await?;
    crate::worker::connect(&served, "w1").await?;
    assert!(staff.workers.list_workers(ListWorkersRequest {}).await?.into_inner().workers[0].drained);
    let (_, anew) = Applicant::admitted(&served, "w1").await?;
    let workers = staff.workers.list_workers(ListWorkersRequest {}).await?.into_inner().workers;
    assert_eq!(
        (workers.len(), workers[0].connected, &*workers[0].version),
        (1, true, "1.2"),
        "joining anew hides nothing"
    );

    // One that is only about to join can be removed, too.
    let unused = token(&served, "w2").await?.join_token;
    for id in ["w1", "w2"] {
        staff.workers.remove_worker(RemoveWorkerRequest { id: id.to_owned() }).await?;
        let again = staff.workers.remove_worker(RemoveWorkerRequest { id: id.to_owned() }).await;
        assert_refused(again, Code::NotFound, "WORKER_NOT_FOUND", id);
    }
    assert!(staff.workers.list_workers(ListWorkersRequest {}).await?.into_inner().workers.is_empty());
    for credential in [joined.credential, anew.credential] {
        let refused = greeted(served.with_token(Some(credential))).await;
        assert_refused(refused, Code::Unauthenticated, "NOT_SIGNED_IN", "token");
    }
    let refused = Applicant::new("w2", &unused).join(&served).await;
    assert_refused(refused, Code::Unauthenticated, "JOIN_TOKEN_UNKNOWN", "no such join token");
    Ok(())
}

async fn join_tokens_that_were_not_used_are_listed_and_revoked(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut workers = served.staff().await?.workers;
    let (_, used) = Applicant::admitted(&served, "w1").await?;
    let (first, second, others) =
        (token(&served, "w1").await?, token(&served, "w1").await?, token(&served, "w2").await?);
    let unused = workers.list_join_tokens(ListJoinTokensRequest {}).await?.into_inner().join_tokens;
    let listed: Vec<_> = unused.into_iter().map(|token| (token.worker_id, token.expires_at)).collect();
    let of = |id: &str, made: &CreateJoinTokenResponse| (id.to_owned(), made.expires_at);
    assert_eq!(listed, [of("w1", &first), of("w1", &second), of("w2", &others)]);

    let revoke = RevokeJoinTokensRequest { id: "w1".to_owned() };
    assert_eq!(workers.revoke_join_tokens(revoke.clone()).await?.into_inner().count, 2);
    assert_eq!(workers.revoke_join_tokens(revoke).await?.into_inner().count, 0, "it may be repeated");
    for void in [first, second] {
        let refused = Applicant::new("w1", &void.join_token).join(&served).await;
        assert_refused(refused, Code::Unauthenticated, "JOIN_TOKEN_UNKNOWN", "no such join token");
    }
    Applicant::new("w2", &others.join_token).join(&served).await?;
    assert_eq!(greeted(served.with_token(Some(used.credential))).await?, "w1", "who joined stays");
    assert!(workers.list_join_tokens(ListJoinTokensRequest {}).await?.into_inner().join_tokens.is_empty());
    Ok(())
}

async fn join_tokens_are_made_within_limits(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut workers = served.staff().await?.workers;
    for (id, seconds, wrong) in
        [("w 1", 60, "worker_id"), ("w1", 7 * 86_400 + 1, "lifetime"), ("", 60, "id"), ("w1", 0, "lifetime")]
    {
        let lifetime = Some(prost_types::Duration { seconds, nanos: 0 });
        let refused = workers.create_join_token(CreateJoinTokenRequest { id: id.to_owned(), lifetime }).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), wrong);
    }
    Ok(())
}

/// The same API over TLS.
async fn over_tls(served: &Served) -> anyhow::Result<impl AsyncFn(Option<Identity>) -> anyhow::Result<Channel>> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let pem = certified.cert.pem();
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(&pem, certified.signing_key.serialize_pem()))
        .client_ca_root(Certificate::from_pem(served.app.authority_certificate().await?))
        .client_auth_optional(true);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let api = sprout_api::api(served.app.clone(), Greeter, VERSION, Forwarders::default()).await?;
    let mut transport = Server::builder().tls_config(tls)?;
    tokio::spawn(transport.add_routes(api.routes).serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(async move |identity: Option<Identity>| {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&pem));
        let tls = identity.into_iter().fold(tls, ClientTlsConfig::identity);
        Ok(Channel::from_shared(format!("https://localhost:{port}"))?.tls_config(tls)?.connect().await?)
    })
}

async fn over_tls_a_session_needs_the_certificate_of_its_worker(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let connect = over_tls(&served).await?;
    let (one, one_joined) = Applicant::admitted(&served, "w1").await?;
    let (two, two_joined) = Applicant::admitted(&served, "w2").await?;
    let identity = |who: &Applicant, pem: &str| Some(Identity::from_pem(pem, who.key.serialize_pem()));
    let open = async |identity| {
        let credential = Some(one_joined.credential.clone());
        anyhow::Ok(InterceptedService::new(connect(identity).await?, Bearer(credential)))
    };
    let bare = open(None).await?;
    assert_refused(
        greeted(bare.clone()).await,
        Code::Unauthenticated,
        "CERTIFICATE_REQUIRED",
        "sproutctl worker token w1",
    );
    let renewal = RenewCertificateRequest { signing_request: one.request.signing_request.clone() };
    let refused = WorkerServiceClient::new(bare).renew_certificate(renewal.clone()).await;
    assert_refused(refused, Code::Unauthenticated, "CERTIFICATE_REQUIRED", "without its certificate");
    let others = open(identity(&two, &two_joined.certificate_pem)).await?;
    assert_refused(greeted(others).await, Code::PermissionDenied, "NOT_ALLOWED", "not that of worker w1");

    let own = open(identity(&one, &one_joined.certificate_pem)).await?;
    assert_eq!(greeted(own.clone()).await?, "w1");
    let renewed = WorkerServiceClient::new(own).renew_certificate(renewal).await?.into_inner();
    assert_ne!(renewed.certificate_pem, one_joined.certificate_pem);
    assert_eq!(greeted(open(identity(&one, &renewed.certificate_pem)).await?).await?, "w1");

    // One that names this worker, but that somebody else signed, does not get as far as that.
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "w1");
    let forged = params.self_signed(&one.key)?.pem();
    let refused = match open(identity(&one, &forged)).await {
        Ok(connection) => greeted(connection).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "a forged certificate was accepted");

    // Users show none.
    let token = served.token("ann").await?;
    let user = InterceptedService::new(connect(None).await?, Bearer(Some(token)));
    let mut users = sprout_proto::user::user_service_client::UserServiceClient::new(user);
    users.who_am_i(sprout_proto::user::WhoAmIRequest {}).await?;
    Ok(())
}

async fn all_servers_are_one_authority(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let another = async || {
        let ports = Ports {
            store: served.database.store(),
            bus: std::sync::Arc::new(LocalBus::default()),
            logs: served.logs.clone(),
        };
        let app = App::new(ports, Catalogue::default()).await?;
        app.authority_certificate().await
    };
    let certificates = futures::future::try_join_all([another(), another(), another(), another()]).await?;
    assert!(certificates.iter().all(|certificate| *certificate == certificates[0]));
    Ok(())
}
