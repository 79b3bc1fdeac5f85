//! Calls passed on to a server that does what no real one does.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::header::{COOKIE, HOST, ORIGIN},
};
use futures::{StreamExt as _, stream};
use sprout_client::{Connection, Settings};
use sprout_conf::Secret;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use super::*;
use crate::trust::Trust;

const HERE: ([u8; 4], u16) = ([127, 0, 0, 1], 1);
const SECOND: Duration = Duration::from_secs(10);

/// What the server sees.
#[derive(Debug)]
enum Seen {
    Call(HeaderMap),
    Left,
}

/// Tells when nobody waits any more.
struct Waiting(UnboundedSender<Seen>);

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.send(Seen::Left);
    }
}

/// A server that answers `GetPool` with a piece and no end, `ListPools` never, and ends `KillPool` in the midst.
async fn server() -> (String, UnboundedReceiver<Seen>) {
    let (see, seen) = unbounded_channel();
    let see = Arc::new(see);
    let answer = move |request: Request| {
        let see = see.clone();
        async move {
            let _ = see.send(Seen::Call(request.headers().clone()));
            let waiting = Waiting((*see).clone());
            let piece = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(&[0, 0, 0, 0, 0]))]);
            let body = match request.uri().path() {
                "/sprout.pool.v1.PoolService/GetPool" => {
                    Body::from_stream(piece.chain(stream::poll_fn(move |_: &mut Context<'_>| {
                        let _ = &waiting;
                        Poll::Pending
                    })))
                }
                "/sprout.pool.v1.PoolService/KillPool" => Body::from_stream(piece),
                _ => {
                    std::future::pending::<()>().await;
                    drop(waiting);
                    Body::empty()
                }
            };
            ([(CONTENT_TYPE, "application/grpc")], body)
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (url, seen)
}

fn proxy(url: &str) -> (Proxy, HeaderValue) {
    let trust = Trust { tls: false, proxies: Vec::new().into(), plain: false, proof: None };
    let (hour, key) = (Duration::from_secs(3600), Secret::from("k".repeat(32)));
    let sessions = Sessions::new(Connection::open(Settings::new(url)).unwrap(), trust, &key, hour, hour);
    let cookie = sessions.begin(Secret::from("spr_mine".to_owned()), u64::MAX, false).unwrap();
    let pair = cookie.to_str().unwrap().split(';').next().unwrap().parse().unwrap();
    (Proxy::new(sessions, CancellationToken::new()), pair)
}

fn request(method: &str, cookie: &HeaderValue) -> Request {
    http::Request::post(format!("/sprout.pool.v1.PoolService/{method}"))
        .header(HOST, "sprout.example")
        .header(ORIGIN, "https://sprout.example")
        .header(COOKIE, cookie)
        .header(AUTHORIZATION, "Bearer spr_another")
        .header("x-forwarded-for", "203.0.113.7")
        .header("x-mine", "1")
        .header(DEADLINE, "20S")
        .header(CONTENT_TYPE, "application/grpc-web+proto")
        .body(Body::from(vec![0, 0, 0, 0, 0]))
        .unwrap()
}

async fn next(seen: &mut UnboundedReceiver<Seen>) -> Seen {
    timeout(SECOND, seen.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_call_ends_at_the_server_when_the_browser_leaves() {
    let (url, mut seen) = server().await;
    let (proxy, cookie) = proxy(&url);
    let response = proxy.call(HERE.into(), request("GetPool", &cookie)).await;
    let Seen::Call(headers) = next(&mut seen).await else { panic!("no call") };
    assert_eq!(headers[AUTHORIZATION], "Bearer spr_mine");
    assert_eq!(
        (&headers[DEADLINE], &headers["x-forwarded-for"]),
        (&"20S".parse().unwrap(), &"203.0.113.7".parse().unwrap())
    );
    for dropped in ["cookie", "origin", "x-mine"] {
        assert!(!headers.contains_key(dropped), "{headers:?}");
    }
    drop(response);
    assert!(matches!(next(&mut seen).await, Seen::Left));
    // Also where no answer has begun.
    let waiting = tokio::spawn({
        let proxy = proxy.clone();
        async move { proxy.call(HERE.into(), request("ListPools", &cookie)).await }
    });
    assert!(matches!(next(&mut seen).await, Seen::Call(_)));
    waiting.abort();
    assert!(matches!(next(&mut seen).await, Seen::Left));
}

#[tokio::test]
async fn every_answer_has_a_last_word() {
    let (url, _seen) = server().await;
    let (proxy, cookie) = proxy(&url);
    let cut = proxy.call(HERE.into(), request("KillPool", &cookie)).await;
    let said = timeout(SECOND, to_bytes(cut.into_body(), 10_000)).await.unwrap().unwrap();
    assert!(said.starts_with(&[0, 0, 0, 0, 0, 0x80]), "the piece, then the end: {said:?}");
    assert!(String::from_utf8_lossy(&said).contains("grpc-status:14"), "{said:?}");
    let open = proxy.call(HERE.into(), request("GetPool", &cookie)).await;
    proxy.stopping.cancel();
    let said = timeout(SECOND, to_bytes(open.into_body(), 10_000)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&said).contains("grpc-status:14"), "{said:?}");
}
