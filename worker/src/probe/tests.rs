//! Probes against real sockets that answer well, badly, or not at all.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
    time::Duration,
};

use sprout_proto::{
    appliance::Endpoint,
    group::{HttpProbe, SshProbe, TcpProbe, probe::Check},
};

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn endpoint(port: u16) -> Endpoint {
    Endpoint { name: "web".into(), host: "127.0.0.1".into(), port: port.into(), url: None }
}

/// A server for one connection that reads what `request` says and sends `answer`; it ends by itself.
fn serve(read: bool, answer: impl Into<Vec<u8>>) -> Endpoint {
    let (listener, answer) = (TcpListener::bind("127.0.0.1:0").unwrap(), answer.into());
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        if read {
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        }
        // The other side may have heard enough.
        let _ = stream.write_all(&answer);
    });
    endpoint(port)
}

fn closed_port() -> Endpoint {
    endpoint(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port())
}

fn http(probe: HttpProbe) -> Check {
    Check::Http(probe)
}

fn response(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nLocation: /elsewhere\r\n\r\n{body}", body.len())
}

async fn failure(check: Check, endpoint: Endpoint) -> String {
    attempt(&check, &endpoint, LIMIT).await.unwrap_err().to_string()
}

#[tokio::test]
async fn http_is_judged_by_status() {
    for (statuses, status, passes) in [
        (vec![], 200, true),
        (vec![], 302, true),
        (vec![], 404, false),
        (vec![401], 401, true),
        (vec![401], 200, false),
    ] {
        let probe = HttpProbe { path: "/ping?x=1".into(), statuses, ..Default::default() };
        let result = attempt(&http(probe.clone()), &serve(true, response(status, "")), LIMIT).await;
        assert_eq!(result.is_ok(), passes, "{probe:?} {status}");
        assert!(passes || result == Err(Failure(format!("status {status}"))), "{result:?}");
    }
}

#[tokio::test]
async fn http_is_judged_by_the_first_64_kib_of_the_body() {
    let probe = HttpProbe { body_contains: "5.11".into(), ..Default::default() };
    let early = format!("{}5.11{}", "x".repeat(60_000), "y".repeat(100_000));
    attempt(&http(probe.clone()), &serve(true, response(200, &early)), LIMIT).await.unwrap();
    let late = format!("{}5.11", "x".repeat(70_000));
    let message = failure(http(probe.clone()), serve(true, response(200, &late))).await;
    assert_eq!(message, "status 200, but the body lacks \"5.11\"");
    // Exactly at the limit, and one byte beyond it.
    let at = format!("{}5.11", "x".repeat(64 * 1024 - 4));
    attempt(&http(probe.clone()), &serve(true, response(200, &at)), LIMIT).await.unwrap();
    failure(http(probe), serve(true, response(200, &format!("x{at}")))).await;
}

#[tokio::test]
async fn https_is_accepted_with_a_certificate_of_its_own() {
    let pem = include_bytes!("../../tests/data/self-signed.pem");
    let mut certificates = Vec::new();
    let mut key = None;
    for item in pem_items(pem) {
        match item {
            Item::Certificate(der) => certificates.push(der),
            Item::Key(der) => key = Some(der),
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key.unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::new(config)).unwrap(), stream);
        assert!(tls.read(&mut [0; 4096]).unwrap() > 0);
        tls.write_all(response(200, "5.11").as_bytes()).unwrap();
    });
    let probe = HttpProbe { tls: true, body_contains: "5.11".into(), ..Default::default() };
    attempt(&http(probe), &endpoint(port), LIMIT).await.unwrap();
}

enum Item {
    Certificate(rustls::pki_types::CertificateDer<'static>),
    Key(rustls::pki_types::PrivateKeyDer<'static>),
}

fn pem_items(pem: &[u8]) -> Vec<Item> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
    let mut items: Vec<_> = CertificateDer::pem_slice_iter(pem).map(|der| Item::Certificate(der.unwrap())).collect();
    items.push(Item::Key(PrivateKeyDer::from_pem_slice(pem).unwrap()));
    items
}

#[tokio::test]
async fn tcp_needs_a_listener_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = endpoint(listener.local_addr().unwrap().port());
    attempt(&Check::Tcp(TcpProbe {}), &there, LIMIT).await.unwrap();
    assert_eq!(failure(Check::Tcp(TcpProbe {}), closed_port()).await, "connection refused");
    assert_eq!(failure(http(HttpProbe::default()), closed_port()).await, "connection refused");
}

#[tokio::test]
async fn ssh_needs_a_banner() {
    let ssh = Check::Ssh(SshProbe {});
    attempt(&ssh, &serve(false, "SSH-2.0-dropbear_2022.83\r\n"), LIMIT).await.unwrap();
    attempt(&ssh, &serve(false, "Welcome\r\nall\nSSH-1.99-x\r\n"), LIMIT).await.unwrap();
    for other in [String::new(), "SSH-2.0-unfinished".into(), "HTTP/1.1 400 Bad\r\n".into(), "x\n".repeat(10_000)] {
        let message = failure(ssh.clone(), serve(false, other)).await;
        assert!(message.contains("no SSH banner") || message == "connection reset", "{message}");
    }
}

#[tokio::test]
async fn silence_ends_with_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = endpoint(listener.local_addr().unwrap().port());
    for check in [Check::Ssh(SshProbe {}), http(HttpProbe::default())] {
        let failure = attempt(&check, &mute, Duration::from_millis(30)).await.unwrap_err();
        assert_eq!(failure.to_string(), "no answer within 30ms");
    }
}
