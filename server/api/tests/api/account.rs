//! Users as they are managed: roles, disabling, passwords, tokens, user groups, quotas.

use prost_types::Duration;
use sprout_proto::{
    event::{WatchRequest, WatchResponse},
    pool::{GetPoolRequest, WatchPoolRequest},
    user::{
        ChangePasswordRequest, CreateTokenRequest, CreateUserGroupRequest, CreateUserRequest, DeleteUserGroupRequest,
        GetUserGroupRequest, GetUserRequest, ListTokensRequest, ListUserGroupsRequest, ListUsersRequest, LoginRequest,
        LogoutRequest, Quota, RevokeTokenRequest, Role, SetQuotaRequest, TokenScope, UpdateUserGroupRequest,
        UpdateUserRequest, WhoAmIRequest, user_group_service_client::UserGroupServiceClient,
        user_service_client::UserServiceClient,
    },
    worker::ListWorkersRequest,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Connection, PASSWORD, Served, assert_refused, field, soon, wanted};

on_each_database!(
    users_are_listed_changed_and_shown,
    the_last_superuser_stays,
    of_two_superusers_who_demote_each_other_one_stays,
    a_disabled_user_is_out_at_once_also_of_watches,
    a_watch_for_staff_ends_with_the_role,
    passwords_are_changed_and_reset,
    tokens_have_names_lives_and_scopes,
    a_token_for_use_acts_as_an_ordinary_user,
    the_use_of_a_token_is_written_down,
    user_groups_are_managed,
    quotas_are_set,
);

type Users = UserServiceClient<Connection>;

async fn users(served: &Served, name: &str) -> anyhow::Result<Users> {
    Ok(served.users(Some(served.token(name).await?)))
}

fn update(name: &str) -> UpdateUserRequest {
    UpdateUserRequest { name: name.to_owned(), ..UpdateUserRequest::default() }
}

fn get(name: &str) -> GetUserRequest {
    GetUserRequest { name: name.to_owned() }
}

async fn users_are_listed_changed_and_shown(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut sue = users(&served, "sue").await?;
    let new = CreateUserRequest {
        name: "bot-1".to_owned(),
        password: PASSWORD.to_owned(),
        role: Role::Bot.into(),
        can_override_hardware: true,
        user_groups: vec!["testers".to_owned()],
    };
    let made = sue.create_user(new.clone()).await?.into_inner().user.unwrap_or_default();
    assert_eq!(
        (made.role(), made.can_override_hardware, &*made.user_groups),
        (Role::Bot, true, &["testers".into()][..])
    );
    let lost = CreateUserRequest { name: "lost".to_owned(), user_groups: vec!["no".to_owned()], ..new };
    assert_refused(sue.create_user(lost).await, Code::NotFound, "USER_GROUP_NOT_FOUND", "no user group no");
    let refused = sue.get_user(get("lost")).await;
    assert_refused(refused, Code::NotFound, "USER_NOT_FOUND", "lost");

    let (mut stan, mut names, mut page_token) = (users(&served, "stan").await?, Vec::new(), String::new());
    loop {
        let request = ListUsersRequest { page_size: 2, page_token, ..ListUsersRequest::default() };
        let page = stan.list_users(request).await?.into_inner();
        names.extend(page.users.into_iter().map(|user| user.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["ann", "ben", "bot-1", "stan", "sue"]);
    sue.update_user(UpdateUserRequest { disabled: Some(true), ..update("ben") }).await?;
    let of_group = |with| ListUsersRequest {
        user_group: Some("testers".to_owned()),
        include_disabled: with,
        ..ListUsersRequest::default()
    };
    for (with, expected) in [(false, vec!["ann", "bot-1"]), (true, vec!["ann", "ben", "bot-1"])] {
        let found = stan.list_users(of_group(with)).await?.into_inner().users;
        assert_eq!(found.iter().map(|user| &*user.name).collect::<Vec<_>>(), expected);
        assert!(found.iter().all(|user| user.user_groups == ["testers"]));
    }
    let mut ann = users(&served, "ann").await?;
    let me = ann.get_user(get("")).await?.into_inner();
    assert_eq!(me.user.clone().unwrap_or_default().name, "ann");
    assert_eq!(ann.get_user(get("ann")).await?.into_inner(), me);
    assert_eq!(stan.get_user(get("ann")).await?.into_inner(), me);
    assert_refused(ann.get_user(get("sue")).await, Code::NotFound, "USER_NOT_FOUND", "no user sue");
    let changed =
        UpdateUserRequest { can_override_hardware: Some(true), role: Some(Role::Staff.into()), ..update("ann") };
    let changed = sue.update_user(changed).await?.into_inner().user.unwrap_or_default();
    assert_eq!((changed.role(), changed.can_override_hardware, changed.disabled), (Role::Staff, true, false));
    ann.list_users(ListUsersRequest::default()).await?;
    let unknown = sue.update_user(UpdateUserRequest { disabled: Some(true), ..update("nobody") }).await;
    assert_refused(unknown, Code::NotFound, "USER_NOT_FOUND", "nobody");
    Ok(())
}

async fn the_last_superuser_stays(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut sue = users(&served, "sue").await?;
    let demote = UpdateUserRequest { role: Some(Role::Staff.into()), ..update("sue") };
    let disable = UpdateUserRequest { disabled: Some(true), ..update("sue") };
    for request in [demote.clone(), disable] {
        let refused = sue.update_user(request).await;
        assert_refused(refused, Code::FailedPrecondition, "LAST_SUPERUSER", "make someone else one first");
    }
    sue.update_user(UpdateUserRequest { role: Some(Role::Superuser.into()), ..update("stan") }).await?;
    sue.update_user(demote).await?;
    let refused = sue.update_user(update("ann")).await;
    assert_refused(refused, Code::PermissionDenied, "NOT_ALLOWED", "only superusers");
    Ok(())
}

async fn of_two_superusers_who_demote_each_other_one_stays(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut sue = users(&served, "sue").await?;
    sue.update_user(UpdateUserRequest { role: Some(Role::Superuser.into()), ..update("stan") }).await?;
    let mut stan = users(&served, "stan").await?;
    let demote = |name: &str| UpdateUserRequest { role: Some(Role::User.into()), ..update(name) };
    let (first, second) = tokio::join!(sue.update_user(demote("stan")), stan.update_user(demote("sue")));
    assert_eq!(u8::from(first.is_ok()) + u8::from(second.is_ok()), 1, "{first:?} {second:?}");
    Ok(())
}

async fn a_disabled_user_is_out_at_once_also_of_watches(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let pool = served.pool("ann").await?.id;
    let mut pools = served.pools("ann").await?;
    let mut of_pool = pools.watch_pool(WatchPoolRequest { id: pool }).await?.into_inner();
    soon(of_pool.message()).await??;
    let mut sue = users(&served, "sue").await?;
    sue.update_user(UpdateUserRequest { disabled: Some(true), ..update("ann") }).await?;
    let refused = pools.get_pool(GetPoolRequest { id: pool }).await;
    assert_refused(refused, Code::Unauthenticated, "NOT_SIGNED_IN", "sproutctl login");
    let ended = soon(async {
        loop {
            if let Err(status) = of_pool.message().await {
                return status;
            }
        }
    })
    .await?;
    assert_refused(Err::<(), _>(ended), Code::Unauthenticated, "NOT_SIGNED_IN", "");
    let login = LoginRequest { name: "ann".to_owned(), password: PASSWORD.to_owned(), lifetime: None };
    let refused = served.users(None).login(login.clone()).await;
    assert_refused(refused, Code::Unauthenticated, "USER_DISABLED", "ask an administrator");
    let wrong = LoginRequest { password: "wrong horse".to_owned(), ..login.clone() };
    let refused = served.users(None).login(wrong).await;
    assert_refused(refused, Code::Unauthenticated, "WRONG_PASSWORD", "do not match");
    sue.update_user(UpdateUserRequest { disabled: Some(false), ..update("ann") }).await?;
    served.users(None).login(login).await?;
    Ok(())
}

async fn a_watch_for_staff_ends_with_the_role(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut events = served.events("stan").await?.watch(WatchRequest::default()).await?.into_inner();
    assert!(matches!(soon(events.message()).await??, Some(WatchResponse { event: None, .. })));
    let mut sue = users(&served, "sue").await?;
    sue.update_user(UpdateUserRequest { role: Some(Role::User.into()), ..update("stan") }).await?;
    let ended = soon(async {
        loop {
            if let Err(status) = events.message().await {
                return status;
            }
        }
    })
    .await?;
    assert_refused(Err::<(), _>(ended), Code::PermissionDenied, "NOT_ALLOWED", "role was changed");
    Ok(())
}

async fn passwords_are_changed_and_reset(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let (mut one, mut other) = (users(&served, "ann").await?, users(&served, "ann").await?);
    other.who_am_i(WhoAmIRequest {}).await?;
    let change = |old: &str, new: &str| ChangePasswordRequest { old_password: old.into(), new_password: new.into() };
    let refused = one.change_password(change("wrong horse", "a new password")).await;
    assert_refused(refused, Code::Unauthenticated, "WRONG_PASSWORD", "nothing was changed");
    let refused = one.change_password(change(PASSWORD, "short")).await;
    assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "8")), "new_password");
    one.change_password(change(PASSWORD, "a new password")).await?;
    one.who_am_i(WhoAmIRequest {}).await?;
    let refused = other.who_am_i(WhoAmIRequest {}).await;
    assert_refused(refused, Code::Unauthenticated, "NOT_SIGNED_IN", "");
    let login = |password: &str| LoginRequest { name: "ann".into(), password: password.into(), lifetime: None };
    assert!(served.users(None).login(login(PASSWORD)).await.is_err());
    served.users(None).login(login("a new password")).await?;
    let mut sue = users(&served, "sue").await?;
    let short = sue.update_user(UpdateUserRequest { password: Some("short".to_owned()), ..update("ann") }).await;
    assert_eq!(field(&assert_refused(short, Code::InvalidArgument, "INVALID_ARGUMENT", "8")), "password");
    sue.update_user(UpdateUserRequest { password: Some("reset by sue".to_owned()), ..update("ann") }).await?;
    assert!(one.who_am_i(WhoAmIRequest {}).await.is_err());
    served.users(None).login(login("reset by sue")).await?;
    Ok(())
}

fn token(name: &str, scope: TokenScope) -> CreateTokenRequest {
    CreateTokenRequest { name: name.to_owned(), scope: scope.into(), lifetime: None }
}

async fn tokens_have_names_lives_and_scopes(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut ann = users(&served, "ann").await?;
    let made = ann.create_token(token("ci", TokenScope::Read)).await?.into_inner();
    let shown = made.token.unwrap_or_default();
    let lives = shown.expires_at.unwrap_or_default().seconds - shown.created_at.unwrap_or_default().seconds;
    assert_eq!((shown.user.as_str(), shown.scope(), lives), ("ann", TokenScope::Read, 90 * 24 * 3600));
    let again = ann.create_token(token("ci", TokenScope::Full)).await;
    assert_refused(again, Code::AlreadyExists, "TOKEN_EXISTS", "ci already");
    for (wrong, blamed) in [
        (token("", TokenScope::Full), "name"),
        (token("login", TokenScope::Full), "name"),
        (CreateTokenRequest { scope: 77, ..token("x", TokenScope::Full) }, "scope"),
        (
            CreateTokenRequest {
                lifetime: Some(Duration { seconds: 401 * 24 * 3600, nanos: 0 }),
                ..token("x", TokenScope::Full)
            },
            "lifetime",
        ),
    ] {
        let refused = ann.create_token(wrong).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), blamed);
    }
    let mut reader = served.users(Some(made.secret.clone()));
    let me = reader.who_am_i(WhoAmIRequest {}).await?.into_inner();
    assert_eq!((me.token.clone().unwrap_or_default().id, me.expires_at), (shown.id, shown.expires_at));
    let refused = reader.create_token(token("more", TokenScope::Read)).await;
    assert_refused(refused, Code::PermissionDenied, "SCOPE_TOO_NARROW", "only for `read`");
    let mut pools =
        sprout_proto::pool::pool_service_client::PoolServiceClient::new(served.with_token(Some(made.secret)));
    assert_refused(pools.request_pool(wanted()).await, Code::PermissionDenied, "SCOPE_TOO_NARROW", "`use`");
    let listed = ann.list_tokens(ListTokensRequest { user: None }).await?.into_inner().tokens;
    assert_eq!(listed.iter().map(|token| &*token.name).collect::<Vec<_>>(), ["ci", "test"]);
    let others = |name: &str| ListTokensRequest { user: Some(name.to_owned()) };
    assert_refused(ann.list_tokens(others("sue")).await, Code::NotFound, "USER_NOT_FOUND", "sue");
    let mut stan = users(&served, "stan").await?;
    assert_refused(stan.list_tokens(others("ann")).await, Code::PermissionDenied, "NOT_ALLOWED", "superusers");
    let mut sue = users(&served, "sue").await?;
    assert_eq!(sue.list_tokens(others("ann")).await?.into_inner().tokens.len(), 2);
    let revoke = RevokeTokenRequest { id: shown.id };
    assert_refused(stan.revoke_token(revoke).await, Code::NotFound, "TOKEN_NOT_FOUND", "sproutctl token list");
    sue.revoke_token(revoke).await?;
    assert!(reader.who_am_i(WhoAmIRequest {}).await.is_err());
    assert_refused(ann.revoke_token(revoke).await, Code::NotFound, "TOKEN_NOT_FOUND", "");
    let kept = ann.create_token(token("own", TokenScope::Read)).await?.into_inner();
    let mut leaver = served.users(Some(kept.secret));
    leaver.logout(LogoutRequest {}).await?;
    assert!(leaver.who_am_i(WhoAmIRequest {}).await.is_err(), "whoever has a token may end it");
    Ok(())
}

async fn a_token_for_use_acts_as_an_ordinary_user(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let of_ann = served.pool("ann").await?.id;
    let mut sue = users(&served, "sue").await?;
    let secret = sue.create_token(token("ci", TokenScope::Use)).await?.into_inner().secret;
    let connection = served.with_token(Some(secret.clone()));
    let mut pools = sprout_proto::pool::pool_service_client::PoolServiceClient::new(connection.clone());
    let foreign = pools.get_pool(GetPoolRequest { id: of_ann }).await;
    assert_refused(foreign, Code::NotFound, "POOL_NOT_FOUND", "");
    let unseen = pools.request_pool(wanted()).await;
    assert_refused(unseen, Code::FailedPrecondition, "NO_TEMPLATE", "no user group");
    let mut workers = sprout_proto::worker::worker_service_client::WorkerServiceClient::new(connection);
    let refused = workers.list_workers(ListWorkersRequest::default()).await;
    assert_refused(refused, Code::PermissionDenied, "NOT_ALLOWED", "only staff");
    let mut user = served.users(Some(secret));
    let me = user.who_am_i(WhoAmIRequest {}).await?.into_inner();
    assert_eq!(me.user.unwrap_or_default().role(), Role::Superuser);
    assert_eq!(me.token.unwrap_or_default().scope(), TokenScope::Use);
    let refused = user.create_user(CreateUserRequest::default()).await;
    assert_refused(refused, Code::PermissionDenied, "NOT_ALLOWED", "");
    Ok(())
}

async fn the_use_of_a_token_is_written_down(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut ann = users(&served, "ann").await?;
    let used = soon(async {
        loop {
            let listed = ann.list_tokens(ListTokensRequest { user: None }).await?.into_inner().tokens;
            if let Some(at) = listed[0].used_at {
                return anyhow::Ok(at);
            }
        }
    })
    .await??;
    let again = ann.list_tokens(ListTokensRequest { user: None }).await?.into_inner().tokens[0].used_at;
    assert_eq!(again, Some(used), "not at every call");
    Ok(())
}

async fn user_groups_are_managed(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut sue = UserGroupServiceClient::new(served.of("sue").await?);
    let mut ann = UserGroupServiceClient::new(served.of("ann").await?);
    let new = |name: &str, members: &[&str], providers: &[&str]| CreateUserGroupRequest {
        name: name.to_owned(),
        members: members.iter().map(|name| (*name).to_owned()).collect(),
        providers: providers.iter().map(|key| (*key).to_owned()).collect(),
    };
    let made = sue.create_user_group(new("qe", &["ben", "ann"], &["lab"])).await?.into_inner().user_group;
    let made = made.unwrap_or_default();
    assert_eq!((made.members, made.providers), (vec!["ann".to_owned(), "ben".to_owned()], vec!["lab".to_owned()]));
    for (wrong, code, why, words) in [
        (new("qe", &[], &[]), Code::AlreadyExists, "USER_GROUP_EXISTS", "qe already"),
        (new("q e", &[], &[]), Code::InvalidArgument, "INVALID_ARGUMENT", "1 to 64"),
        (new("new", &["ann", "nobody"], &[]), Code::NotFound, "USER_NOT_FOUND", "nobody"),
        (new("new", &[], &["nowhere"]), Code::NotFound, "PROVIDER_NOT_FOUND", "nowhere"),
    ] {
        assert_refused(sue.create_user_group(wrong).await, code, why, words);
    }
    assert_refused(ann.create_user_group(new("x", &[], &[])).await, Code::PermissionDenied, "NOT_ALLOWED", "");
    let listed = sue.list_user_groups(ListUserGroupsRequest {}).await?.into_inner().user_groups;
    assert_eq!(listed.iter().map(|group| &*group.name).collect::<Vec<_>>(), ["qe", "testers"], "nothing else was made");
    let mine = ann.get_user_group(GetUserGroupRequest { name: "qe".to_owned() }).await?.into_inner().user_group;
    assert_eq!(mine.unwrap_or_default().members, ["ann"], "other members are not named");
    let change = UpdateUserGroupRequest {
        name: "qe".to_owned(),
        add_members: vec!["stan".to_owned(), "ben".to_owned()],
        remove_members: vec!["ann".to_owned()],
        add_providers: vec!["lab".to_owned(), "broken".to_owned()],
        remove_providers: Vec::new(),
    };
    for _ in 0..2 {
        let changed = sue.update_user_group(change.clone()).await?.into_inner().user_group.unwrap_or_default();
        assert_eq!((changed.members, changed.providers.len()), (vec!["ben".to_owned(), "stan".to_owned()], 2));
    }
    let refused = ann.get_user_group(GetUserGroupRequest { name: "qe".to_owned() }).await;
    assert_refused(refused, Code::NotFound, "USER_GROUP_NOT_FOUND", "qe");
    let both = UpdateUserGroupRequest { remove_members: vec!["ben".to_owned()], ..change };
    let refused = sue.update_user_group(both).await;
    assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), "remove_members");
    let delete = DeleteUserGroupRequest { name: "qe".to_owned() };
    sue.delete_user_group(delete.clone()).await?;
    assert_refused(sue.delete_user_group(delete).await, Code::NotFound, "USER_GROUP_NOT_FOUND", "qe");
    Ok(())
}

async fn quotas_are_set(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    served.pool("ann").await?;
    let (mut stan, mut sue) = (users(&served, "stan").await?, users(&served, "sue").await?);
    let set = |user: &str, quota: Option<Quota>| SetQuotaRequest { user: user.to_owned(), quota };
    let quota = Quota { appliances_per_pool: Some(3), pools: Some(2), appliances: None, weight: Some(7) };
    let answer = stan.set_quota(set("ann", Some(quota))).await?.into_inner();
    assert_eq!((answer.quota, answer.r#use.unwrap_or_default().pools), (Some(quota), 1));
    let mine = users(&served, "ann").await?.get_user(get("")).await?.into_inner();
    assert_eq!((mine.quota, mine.r#use.unwrap_or_default().appliances), (Some(quota), 1));
    let refused = stan.set_quota(set("sue", Some(quota))).await;
    assert_refused(refused, Code::PermissionDenied, "NOT_ALLOWED", "quota of staff");
    sue.set_quota(set("stan", Some(quota))).await?;
    let refused = stan.set_quota(set("nobody", Some(quota))).await;
    assert_refused(refused, Code::NotFound, "USER_NOT_FOUND", "nobody");
    for (wrong, blamed) in [(None, "quota"), (Some(Quota { weight: Some(0), ..quota }), "quota.weight")] {
        let refused = stan.set_quota(set("ann", wrong)).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), blamed);
    }
    let cleared = stan.set_quota(set("ann", Some(Quota::default()))).await?.into_inner().quota;
    assert_eq!(cleared, Some(Quota { weight: Some(1), ..Quota::default() }));
    Ok(())
}
