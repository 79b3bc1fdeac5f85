//! Signing in and out.

use prost_types::Duration;
use sprout_proto::user::{
    CreateTokenRequest, CreateUserRequest, LoginRequest, LogoutEverywhereRequest, LogoutRequest, Role, TokenScope,
    WhoAmIRequest, user_service_client::UserServiceClient,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::support::{PASSWORD, Served, VERSION, assert_refused, field, soon};

on_each_database!(
    signing_in_and_out,
    signing_out_everywhere_ends_sessions_and_no_named_tokens,
    wrong_passwords_tell_nothing,
    guessing_is_slowed_whether_the_name_exists_or_not,
    tokens_expire,
    calls_without_a_usable_token,
    users_are_checked
);

fn login(name: &str, password: &str) -> LoginRequest {
    LoginRequest { name: name.to_owned(), password: password.to_owned(), lifetime: None }
}

async fn signing_in_and_out(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let answer = served.users(None).login(login("ann", PASSWORD)).await?.into_inner();
    let mut client = served.users(Some(answer.token));
    let me = client.who_am_i(WhoAmIRequest {}).await?.into_inner();
    assert_eq!((me.user, me.expires_at), (answer.user, answer.expires_at));
    assert_eq!(me.server_version, VERSION);
    client.logout(LogoutRequest {}).await?;
    let refused = client.who_am_i(WhoAmIRequest {}).await;
    assert_refused(refused, Code::Unauthenticated, "NOT_SIGNED_IN", "sproutctl login");
    Ok(())
}

async fn signing_out_everywhere_ends_sessions_and_no_named_tokens(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut tokens = Vec::new();
    for name in ["ann", "ann", "ben"] {
        tokens.push(served.users(None).login(login(name, PASSWORD)).await?.into_inner().token);
    }
    let mut here = served.users(Some(tokens[0].clone()));
    let named = CreateTokenRequest { name: "ci".to_owned(), scope: TokenScope::Full.into(), lifetime: None };
    let named = here.create_token(named).await?.into_inner().secret;
    let other = served.users(Some(tokens[1].clone())).who_am_i(WhoAmIRequest {}).await?;
    assert_eq!(other.into_inner().user.unwrap_or_default().name, "ann");
    // Also those that Served signed in with.
    assert!(here.logout_everywhere(LogoutEverywhereRequest {}).await?.into_inner().count >= 2);
    for token in &tokens[..2] {
        let refused = served.users(Some(token.clone())).who_am_i(WhoAmIRequest {}).await;
        assert_refused(refused, Code::Unauthenticated, "NOT_SIGNED_IN", "sproutctl login");
    }
    for token in [&tokens[2], &named] {
        served.users(Some(token.clone())).who_am_i(WhoAmIRequest {}).await?;
    }
    assert_eq!(
        served.users(Some(named)).logout_everywhere(LogoutEverywhereRequest {}).await?.into_inner().count,
        0,
        "there was nothing left to end"
    );
    Ok(())
}

async fn wrong_passwords_tell_nothing(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.users(None);
    let known = client.login(login("ann", "wrong horse")).await;
    let known = assert_refused(known, Code::Unauthenticated, "WRONG_PASSWORD", "do not match");
    let unknown = client.login(login("nobody", "wrong horse")).await;
    let unknown = assert_refused(unknown, Code::Unauthenticated, "WRONG_PASSWORD", "do not match");
    assert_eq!((known.message(), known.details()), (unknown.message(), unknown.details()));
    for lifetime in [Duration { seconds: -5, nanos: 0 }, Duration { seconds: i64::MAX, nanos: 0 }] {
        let refused = client.login(LoginRequest { lifetime: Some(lifetime), ..login("ann", PASSWORD) }).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), "lifetime");
    }
    Ok(())
}

async fn guessing_is_slowed_whether_the_name_exists_or_not(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.users(None);
    client.login(login("ann", PASSWORD)).await?;
    let mut said = Vec::new();
    for name in ["ann", "nobody"] {
        for _ in 0..10 {
            let wrong = client.login(login(name, "a wrong guess")).await;
            assert_refused(wrong, Code::Unauthenticated, "WRONG_PASSWORD", "do not match");
        }
        let refused = client.login(login(name, PASSWORD)).await;
        let refused = assert_refused(refused, Code::ResourceExhausted, "TOO_MANY_ATTEMPTS", "then try again");
        let wait = refused.get_error_details().retry_info().and_then(|info| info.retry_delay);
        assert!(wait.is_some_and(|wait| wait.as_secs() <= 61), "{wait:?}");
        said.push(refused.message().replace(|c: char| c.is_ascii_digit(), ""));
    }
    assert_eq!(said[0], said[1]);
    client.login(login("ben", PASSWORD)).await?;
    Ok(())
}

async fn tokens_expire(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let lifetime = Some(Duration { seconds: 0, nanos: 1_000_000 });
    let answer = served.users(None).login(LoginRequest { lifetime, ..login("ann", PASSWORD) }).await?.into_inner();
    let mut client = served.users(Some(answer.token));
    let refused = soon(async {
        loop {
            if let Err(status) = client.who_am_i(WhoAmIRequest {}).await {
                return status;
            }
        }
    })
    .await?;
    assert_refused(Err::<(), _>(refused), Code::Unauthenticated, "NOT_SIGNED_IN", "has expired");
    Ok(())
}

async fn calls_without_a_usable_token(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let missing = served.users(None).who_am_i(WhoAmIRequest {}).await;
    assert_refused(missing, Code::Unauthenticated, "NOT_SIGNED_IN", "carries no token");
    let garbage = served.users(Some("spr_garbage".to_owned())).who_am_i(WhoAmIRequest {}).await;
    assert_refused(garbage, Code::Unauthenticated, "NOT_SIGNED_IN", "unknown or has expired");
    for header in ["Basic YW5uOmhvcnNl", "Bearer", "Bearer  ", "token"] {
        let mut request = Request::new(WhoAmIRequest {});
        request.metadata_mut().insert("authorization", header.parse()?);
        let refused = UserServiceClient::new(served.channel.clone()).who_am_i(request).await;
        assert_refused(refused, Code::Unauthenticated, "NOT_SIGNED_IN", "Bearer TOKEN");
    }
    let mut request = Request::new(WhoAmIRequest {});
    request.metadata_mut().insert("authorization", format!("bearer {}", served.token("ann").await?).parse()?);
    UserServiceClient::new(served.channel.clone()).who_am_i(request).await?;
    Ok(())
}

async fn users_are_checked(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut client = served.users(Some(served.token("sue").await?));
    let new = |name: &str, password: &str, role: Role| CreateUserRequest {
        name: name.to_owned(),
        password: password.to_owned(),
        role: role.into(),
        ..Default::default()
    };
    let user = client.create_user(new("eve", PASSWORD, Role::Staff)).await?.into_inner().user.unwrap_or_default();
    assert_eq!((user.name.as_str(), user.role()), ("eve", Role::Staff));
    let again = client.create_user(new("eve", PASSWORD, Role::User)).await;
    assert_refused(again, Code::AlreadyExists, "USER_EXISTS", "eve");
    for (wrong, blamed) in [
        (new("e ve", PASSWORD, Role::User), "name"),
        (new("", PASSWORD, Role::User), "name"),
        (new("eva", "short", Role::User), "password"),
        (new("eva", PASSWORD, Role::Unspecified), "role"),
        (CreateUserRequest { role: 99, ..new("eva", PASSWORD, Role::User) }, "role"),
    ] {
        let refused = client.create_user(wrong).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), blamed);
    }
    Ok(())
}
