//! grpc-web: calls and streams, refusals, and what breaks.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use prost::Message as _;
use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN},
};
use sprout_client::proto::{
    event::{EventKind, WatchRequest, WatchResponse},
    pool::{GetPoolRequest, GetPoolResponse, ListPoolsRequest, ListPoolsResponse},
    user::{
        CreateUserRequest, CreateUserResponse, ListUsersRequest, ListUsersResponse, LoginRequest, Role, WhoAmIRequest,
        WhoAmIResponse,
    },
};
use sprout_e2e::{AllInOne, GROUP, Program, retry};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Status};

use super::{
    browser::{Answer, BINARY, Browser, TEXT, framed, reason},
    world::{PASSWORD, gateway, play},
};

const WHO: &str = "user.v1.UserService/WhoAmI";
const WATCH: &str = "event.v1.EventService/Watch";

#[test]
fn browsers_call_and_watch() {
    play(async |world| {
        let browser = Browser::new(&world.web);
        ensure!(browser.sign_in("admin", PASSWORD).await?.0 == 200);
        // What a script claims to be counts for nothing: the session does.
        let request =
            browser.rpc(WHO, BINARY).header(AUTHORIZATION, "Bearer spr_x").header("sprout-gateway-proof", "x");
        let response = browser.send(request.body(framed(&WhoAmIRequest {}))).await?;
        ensure!(response.status() == 200 && response.headers()["cache-control"] == "no-store");
        ensure!(response.headers().get("grpc-status").is_none(), "{:?}", response.headers());
        let me: WhoAmIResponse = browser.call(WHO, &WhoAmIRequest {}).await?;
        ensure!(me.user.context("a user")?.name == "admin");

        // A refusal has the details that the server gave it.
        let none = browser.call::<GetPoolResponse>("pool.v1.PoolService/GetPool", &GetPoolRequest { id: 99 }).await;
        let none = none.unwrap_err();
        ensure!(none.code() == Code::NotFound && reason(&none) == "POOL_NOT_FOUND", "{none:?}");

        // One watches, another one does something: told at once.
        let mut watch = browser.stream(WATCH, &WatchRequest::default()).await?;
        let first = WatchResponse::decode(&*watch.message().await?.context("a first message")?)?;
        ensure!(first.event.is_none());
        let request = CreateUserRequest {
            name: "ann".into(),
            password: PASSWORD.into(),
            role: Role::User.into(),
            ..Default::default()
        };
        browser.call::<CreateUserResponse>("user.v1.UserService/CreateUser", &request).await?;
        let pool = sprout_client::proto::pool::RequestPoolRequest {
            request_id: uuid::Uuid::new_v4().to_string(),
            group: GROUP.into(),
            count: 1,
            ..Default::default()
        };
        let rpc = "pool.v1.PoolService/RequestPool";
        let pool: sprout_client::proto::pool::RequestPoolResponse = browser.call(rpc, &pool).await?;
        let pool = pool.pool.context("a pool")?.id;
        until(&mut watch, |event| {
            event.kind() == EventKind::PoolState && event.pool_id == Some(pool) && event.state() == "ready"
        })
        .await?;
        let pools: ListPoolsResponse =
            browser.call("pool.v1.PoolService/ListPools", &ListPoolsRequest::default()).await?;
        ensure!(pools.pools.iter().any(|found| found.id == pool));

        // The same as text.
        let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, framed(&ListUsersRequest::default()));
        let response = browser.send(browser.rpc("user.v1.UserService/ListUsers", TEXT).body(text)).await?;
        ensure!(response.headers()[CONTENT_TYPE].to_str()?.starts_with(TEXT));
        let mut answer = Answer::begin(response).await??;
        let users = ListUsersResponse::decode(&*answer.message().await?.context("a message")?)?.users;
        ensure!(users.iter().any(|user| user.name == "ann") && answer.message().await?.is_none());
        refusals(world, &browser).await
    });
}

async fn until(watch: &mut Answer, is_it: impl Fn(&sprout_client::proto::event::Event) -> bool) -> Result<u64> {
    loop {
        let message = watch.message().await?.context("the watch ended")?;
        if let Some(event) = WatchResponse::decode(&*message)?.event
            && is_it(&event)
        {
            return Ok(event.sequence);
        }
    }
}

async fn refusals(world: &AllInOne, browser: &Browser) -> Result<()> {
    let who = || framed(&WhoAmIRequest {});
    let post = |kind: &str, body: Vec<u8>| browser.rpc(WHO, kind).body(body);
    let login = LoginRequest { name: "admin".into(), password: PASSWORD.into(), lifetime: None };
    let large = framed(&CreateUserRequest { name: "x".repeat(4 << 20), ..Default::default() });
    let compressed = [&[1], &who()[1..]].concat();
    let cases = [
        (browser.rpc("user.v1.UserService/Login", BINARY).body(framed(&login)), Code::Unimplemented, "UNKNOWN_RPC"),
        (browser.rpc("worker.v1.WorkerService/Session", BINARY).body(who()), Code::Unimplemented, "UNKNOWN_RPC"),
        (browser.rpc("sim.v1.SimService/Set", BINARY).body(who()), Code::Unimplemented, "UNKNOWN_RPC"),
        (browser.rpc("user.v1.UserService/None", BINARY).body(who()), Code::Unimplemented, "UNKNOWN_RPC"),
        (browser.rpc("user.v1.UserService/CreateUser", BINARY).body(large), Code::OutOfRange, "MESSAGE_TOO_LARGE"),
        (post(BINARY, Vec::new()), Code::InvalidArgument, "INVALID_ARGUMENT"),
        (post(BINARY, b"hello, world".to_vec()), Code::InvalidArgument, "INVALID_ARGUMENT"),
        (post(BINARY, [who(), who()].concat()), Code::InvalidArgument, "INVALID_ARGUMENT"),
        (post(BINARY, compressed), Code::InvalidArgument, "INVALID_ARGUMENT"),
        (post(TEXT, b"no base64!".to_vec()), Code::InvalidArgument, "INVALID_ARGUMENT"),
        (post(BINARY, who()).header("grpc-timeout", "1n"), Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
    ];
    for (request, code, expected) in cases {
        let shown = format!("{request:?}");
        let status = browser.status(request).await.with_context(|| shown.clone())?;
        ensure!(status.code() == code && reason(&status) == expected, "{shown}: {status:?}");
        ensure!(!status.message().is_empty());
    }
    let foreign = browser.http.post(format!("{}/sprout.{WHO}", world.web)).header(CONTENT_TYPE, BINARY);
    let foreign = foreign.header("cookie", browser.cookie().context("a cookie")?).body(who());
    for origin in [None, Some("https://evil.example"), Some("null")] {
        let request = foreign.try_clone().context("a copy")?;
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin));
        let status = browser.status(request).await?;
        ensure!(status.code() == Code::PermissionDenied && reason(&status) == "CROSS_ORIGIN", "{origin:?}: {status:?}");
    }
    let stranger = Browser::new(&world.web);
    stranger.have(browser.cookie().map(|cookie| cookie + "A"));
    let status = stranger.call::<WhoAmIResponse>(WHO, &WhoAmIRequest {}).await.unwrap_err();
    ensure!(status.code() == Code::Unauthenticated && reason(&status) == "NOT_SIGNED_IN", "{status:?}");
    for (method, kind, status) in
        [(Method::GET, BINARY, 405), (Method::POST, "application/grpc", 415), (Method::POST, "text/plain", 415)]
    {
        let request = browser.ask(method, &format!("/sprout.{WHO}")).header(CONTENT_TYPE, kind).body(who());
        ensure!(browser.send(request).await?.status() == status);
    }
    // Half a request and no more, and a hundred megabytes: others do not notice.
    let address = world.web.strip_prefix("http://").context("an address")?;
    let mut half = TcpStream::connect(address).await?;
    let head = format!(
        "POST /sprout.{WHO} HTTP/1.1\r\nHost: {address}\r\nOrigin: {}\r\nContent-Type: {BINARY}\r\nContent-Length: 5000\r\n\r\n",
        world.web
    );
    half.write_all(head.as_bytes()).await?;
    half.write_all(&[0; 100]).await?;
    let hundred = browser.rpc(WHO, BINARY).body(vec![0; 100 << 20]);
    // It is answered, or cut off, before it has sent everything.
    if let Ok(response) = browser.send(hundred).await {
        ensure!(response.headers().get("grpc-status").is_some_and(|status| status != "0"), "{response:?}");
    }
    browser.call::<WhoAmIResponse>(WHO, &WhoAmIRequest {}).await?;
    drop(half);
    Ok(())
}

#[test]
fn what_breaks_behind_the_gateway_or_with_it_is_told_and_goes_on() {
    play(async |world| {
        let (front, url) = gateway(world, "front", "").await?;
        let browser = Browser::new(&url);
        ensure!(browser.sign_in("admin", PASSWORD).await?.0 == 200);
        let mut watch = browser.stream(WATCH, &WatchRequest::default()).await?;
        let first = WatchResponse::decode(&*watch.message().await?.context("a first message")?)?;
        world.sprout.kill().await?;
        let lost = rest(&mut watch).await;
        ensure!(lost.code() == Code::Unavailable && reason(&lost) == "SERVER_UNREACHABLE", "{lost:?}");
        let away = browser.call::<WhoAmIResponse>(WHO, &WhoAmIRequest {}).await.unwrap_err();
        ensure!(away.code() == Code::Unavailable && reason(&away) == "SERVER_UNREACHABLE", "{away:?}");
        let (status, error) = browser.session(Method::GET, "").await?;
        ensure!(status == 503 && error["error"]["reason"] == "SERVER_UNREACHABLE", "{error}");
        ensure!(browser.session(Method::DELETE, "").await?.0 == 503 && browser.cookie().is_some(), "not signed out");
        ensure!(browser.http.get(format!("{url}/health")).send().await?.status() == 503);

        world.sprout.ensure_running().await?;
        let after = WatchRequest { after_sequence: Some(first.sequence), ..Default::default() };
        let mut watch = retry("the watch goes on", async || {
            let mut watch = browser.stream(WATCH, &after).await?;
            watch.message().await?;
            Ok(watch)
        })
        .await?;
        // A server that is told to stop says so; and so does a gateway, without anyone waiting for it.
        world.sprout.stop().await?;
        let left = rest(&mut watch).await;
        ensure!(left.code() == Code::Unavailable && reason(&left) == "SERVER_DRAINING", "{left:?}");
        world.sprout.ensure_running().await?;
        let mut watch = retry("the watch goes on", async || browser.stream(WATCH, &after).await).await?;
        let asked = Instant::now();
        let (stopped, left) = tokio::join!(front.stop(), rest(&mut watch));
        stopped?;
        ensure!(left.code() == Code::Unavailable && reason(&left) == "SERVER_DRAINING", "{left:?}");
        ensure!(asked.elapsed() < Duration::from_secs(5), "it waited for those who watch");
        // The next one knows the session.
        front.ensure_running().await?;
        retry("the next gateway answers", async || {
            ensure!(browser.session(Method::GET, "").await?.0 == 200);
            Ok(())
        })
        .await?;
        slow(&front, &url).await
    });
}

/// What a stream ends with.
async fn rest(watch: &mut Answer) -> Status {
    loop {
        match watch.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return Status::ok("it ended"),
            Err(status) => return status,
        }
    }
}

/// A gateway that stops does not wait for ever for who sends nothing.
async fn slow(front: &Program, url: &str) -> Result<()> {
    let address = url.strip_prefix("http://").context("an address")?;
    let mut idle = TcpStream::connect(address).await?;
    idle.write_all(b"POST /session HTTP/1.1\r\nHost: x\r\n").await?;
    front.stop().await?;
    let mut said = Vec::new();
    let _ = idle.read_to_end(&mut said).await;
    ensure!(!String::from_utf8_lossy(&said).contains(" 200 "), "{said:?}");
    Ok(())
}
