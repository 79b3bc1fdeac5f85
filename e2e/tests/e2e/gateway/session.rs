//! Signing in and out: who is known, for how long, and who is not let in.

use anyhow::{Context as _, Result, ensure};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE},
};
use serde_json::json;
use sprout_client::proto::user::{
    ChangePasswordRequest, ChangePasswordResponse, CreateTokenRequest, CreateTokenResponse, Role, TokenScope,
    WhoAmIRequest, WhoAmIResponse,
};
use sprout_e2e::AllInOne;
use tonic::Code;

use super::{
    browser::{Browser, reason, told},
    world::{PASSWORD, gateway, play, user},
};

const WHO: &str = "user.v1.UserService/WhoAmI";

#[test]
fn browsers_sign_in_are_known_and_sign_out() {
    play(async |world| {
        user(world, "ann", Role::User).await?;
        let browser = Browser::new(&world.web);
        ensure!(browser.session(Method::GET, "").await?.0 == 401);
        let (status, session) = browser.sign_in("ann", PASSWORD).await?;
        ensure!(
            status == 200 && session["user"]["name"] == "ann" && session["user"]["role"] == "ROLE_USER",
            "{session}"
        );
        ensure!(session["expires_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{session}");
        let (status, again) = browser.session(Method::GET, "").await?;
        ensure!(status == 200 && again["user"] == session["user"] && again["server_version"].is_string(), "{again}");

        // Whoever has the cookie of a session that ended has nothing.
        let cookie = browser.cookie();
        ensure!(browser.session(Method::DELETE, "").await?.0 == 204 && browser.cookie().is_none());
        browser.have(cookie.clone());
        let (status, error) = browser.session(Method::GET, "").await?;
        ensure!(status == 401 && error["error"]["reason"] == "NOT_SIGNED_IN", "{error}");
        ensure!(browser.session(Method::DELETE, "?everywhere=true").await?.0 == 401);
        ensure!(browser.session(Method::DELETE, "").await?.0 == 204, "that it is over is what was wanted");

        // The session that another one takes the place of ends, too.
        browser.sign_in("ann", PASSWORD).await?;
        let old = browser.cookie();
        browser.sign_in("ann", PASSWORD).await?;
        let replaced = Browser::new(&world.web);
        replaced.have(old);
        sprout_e2e::retry("the old session has ended", async || {
            ensure!(replaced.session(Method::GET, "").await?.0 == 401);
            Ok(())
        })
        .await?;
        ensure!(browser.session(Method::GET, "").await?.0 == 200);

        // A restart of everything signs nobody out.
        world.sprout.stop().await?;
        world.sprout.ensure_running().await?;
        sprout_e2e::retry("the gateway is back", async || {
            ensure!(browser.session(Method::GET, "").await?.0 == 200);
            Ok(())
        })
        .await?;
        refusals(world).await?;
        everywhere(world).await
    });
}

async fn refusals(world: &AllInOne) -> Result<()> {
    let browser = Browser::new(&world.web);
    let (status, error) = browser.sign_in("ann", "wrong").await?;
    ensure!(status == 401 && error["error"]["reason"] == "WRONG_PASSWORD", "{error}");
    let right = json!({"username": "ann", "password": PASSWORD}).to_string();
    let send = async |kind: &str, origin: Option<&str>, body: &str| {
        let request = browser.http.post(format!("{}/session", world.web)).header(CONTENT_TYPE, kind);
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin));
        let response = request.body(body.to_owned()).send().await?;
        ensure!(response.headers().get(SET_COOKIE).is_none(), "a refusal begins no session");
        told(response).await
    };
    let (kind, blank) = ("application/json", " ".repeat(20_000));
    let here = Some(&*world.web);
    for (kind, origin, body, status, reason) in [
        (kind, None, &*right, 403, "CROSS_ORIGIN"),
        (kind, Some("http://evil.example"), &*right, 403, "CROSS_ORIGIN"),
        (kind, Some("null"), &*right, 403, "CROSS_ORIGIN"),
        (kind, Some("http://127.0.0.1:1"), &*right, 403, "CROSS_ORIGIN"),
        ("text/plain", here, &*right, 415, "INVALID_ARGUMENT"),
        ("application/x-www-form-urlencoded", here, "username=ann", 415, "INVALID_ARGUMENT"),
        (kind, here, "no JSON", 400, "INVALID_ARGUMENT"),
        (kind, here, "[]", 400, "INVALID_ARGUMENT"),
        (kind, here, r#"{"username": "ann"}"#, 400, "INVALID_ARGUMENT"),
        (kind, here, r#"{"username": "ann", "password": 3}"#, 400, "INVALID_ARGUMENT"),
        (kind, here, r#"{"username": "ann", "password": "a", "more": 1}"#, 400, "INVALID_ARGUMENT"),
        (kind, here, &*blank, 413, "MESSAGE_TOO_LARGE"),
    ] {
        let (got, error) = send(kind, origin, body).await?;
        ensure!(got == status && error["error"]["reason"] == reason, "{kind} {origin:?} {got} {error}");
        ensure!(!error.to_string().contains(PASSWORD), "{error}");
    }
    browser.sign_in("ann", PASSWORD).await?;
    let cookie = browser.cookie().context("a cookie")?;
    let foreign = browser
        .http
        .delete(format!("{}/session", world.web))
        .header(COOKIE, &cookie)
        .header(ORIGIN, "http://evil.example");
    ensure!(foreign.send().await?.status() == 403);
    ensure!(browser.session(Method::GET, "").await?.0 == 200, "nobody else signs people out");
    ensure!(browser.session(Method::DELETE, "?every=where").await?.0 == 400);
    // Wrong passwords are limited by the address that the browser has, not by the gateway's.
    for _ in 0..10 {
        ensure!(browser.sign_in_from("ben", "wrong", Some("203.0.113.1")).await?.0 == 401);
    }
    let (status, error) = browser.sign_in_from("ben", "wrong", Some("203.0.113.1")).await?;
    ensure!(status == 429 && error["error"]["retry_after_seconds"].as_u64().is_some_and(|wait| wait > 0), "{error}");
    ensure!(browser.sign_in_from("ben", "wrong", Some("203.0.113.2")).await?.0 == 401);
    // A gateway that the server does not know tells it nothing: all who come through it are one.
    let (unknown, url) = gateway(world, "unknown", "").await?;
    let browser = Browser::new(&url);
    for n in 0..10 {
        ensure!(browser.sign_in_from("bob", "wrong", Some(&format!("203.0.113.{n}"))).await?.0 == 401);
    }
    ensure!(browser.sign_in_from("bob", "wrong", Some("203.0.113.99")).await?.0 == 429);
    unknown.stop().await
}

/// Signing out everywhere ends sessions, and changing the password all but one.
async fn everywhere(world: &AllInOne) -> Result<()> {
    let [here, there, elsewhere] = [(); 3].map(|()| Browser::new(&world.web));
    for browser in [&here, &there, &elsewhere] {
        ensure!(browser.sign_in("ann", PASSWORD).await?.0 == 200);
    }
    let scope = TokenScope::Read.into();
    let made: CreateTokenResponse = here
        .call("user.v1.UserService/CreateToken", &CreateTokenRequest { name: "ci".into(), scope, lifetime: None })
        .await?;
    let change = |old: &str, new: &str| ChangePasswordRequest { old_password: old.into(), new_password: new.into() };
    let rpc = "user.v1.UserService/ChangePassword";
    let wrong = here.call::<ChangePasswordResponse>(rpc, &change("wrong", "another horse")).await.unwrap_err();
    ensure!(wrong.code() == Code::Unauthenticated && reason(&wrong) == "WRONG_PASSWORD", "{wrong:?}");
    here.call::<ChangePasswordResponse>(rpc, &change(PASSWORD, "another horse")).await?;
    ensure!(here.session(Method::GET, "").await?.0 == 200);
    for browser in [&there, &elsewhere] {
        ensure!(browser.session(Method::GET, "").await?.0 == 401);
        ensure!(browser.sign_in("ann", "another horse").await?.0 == 200);
    }
    let made_again: CreateTokenResponse = here
        .call("user.v1.UserService/CreateToken", &CreateTokenRequest { name: "cd".into(), scope, lifetime: None })
        .await?;
    ensure!(there.session(Method::DELETE, "?everywhere=true").await?.0 == 204 && there.cookie().is_none());
    for browser in [&here, &elsewhere] {
        let refused = browser.call::<WhoAmIResponse>(WHO, &WhoAmIRequest {}).await.unwrap_err();
        ensure!(refused.code() == Code::Unauthenticated && reason(&refused) == "NOT_SIGNED_IN", "{refused:?}");
    }
    let with = |secret: String| world.client.with_token(&secret.into());
    ensure!(with(made.secret)?.users().who_am_i(WhoAmIRequest {}).await.is_err(), "it ended with the old password");
    with(made_again.secret)?.users().who_am_i(WhoAmIRequest {}).await?;
    Ok(())
}
