//! The audit log as staff read it: what is in it, and what is not.

use sprout_app::ports::Store as _;
use sprout_proto::{
    audit::{ListRecordsRequest, Record, audit_service_client::AuditServiceClient},
    pool::{ExtendPoolRequest, GetPoolRequest, KillPoolRequest, RequestPoolRequest},
    user::{CreateUserRequest, LoginRequest, Role, WhoAmIRequest},
    worker::{ListWorkersRequest, worker_service_client::WorkerServiceClient},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Connection, PASSWORD, Served, assert_refused, field, soon, wanted};

on_each_database!(
    changes_are_recorded_with_who_and_what,
    requests_that_share_a_transaction_have_a_record_each,
    refusals_are_recorded_afterwards,
    reads_are_not_recorded_unless_they_are_not_allowed,
    a_change_that_is_not_committed_has_no_record,
    filters_and_pages,
);

async fn log(served: &Served) -> anyhow::Result<AuditServiceClient<Connection>> {
    Ok(AuditServiceClient::new(served.of("stan").await?))
}

async fn records(served: &Served, request: ListRecordsRequest) -> anyhow::Result<Vec<Record>> {
    Ok(log(served).await?.list_records(request).await?.into_inner().records)
}

/// Records of this method, newest first, once there are this many.
async fn of_method(served: &Served, method: &str, count: usize) -> anyhow::Result<Vec<Record>> {
    soon(async {
        loop {
            let request = ListRecordsRequest { method: Some(method.to_owned()), ..Default::default() };
            let found = records(served, request).await?;
            if found.len() >= count {
                return Ok(found);
            }
        }
    })
    .await?
}

async fn changes_are_recorded_with_who_and_what(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let pool = served.pool("ann").await?;
    served.pools("ann").await?.kill_pool(KillPoolRequest { id: pool.id }).await?;
    let record = of_method(&served, "killpool", 1).await?.remove(0);
    assert_eq!((record.user.as_str(), record.peer.as_str()), ("ann", "127.0.0.1"));
    assert_eq!(record.method, "sprout.pool.v1.PoolService/KillPool");
    assert_eq!(record.request, format!("{{\"id\":\"{}\"}}", pool.id));
    assert_eq!((record.result.as_str(), record.message.as_str()), ("OK", ""));
    assert!(record.id > 0 && record.at.is_some());
    let created = CreateUserRequest {
        name: "eve".to_owned(),
        password: PASSWORD.to_owned(),
        role: Role::User.into(),
        ..Default::default()
    };
    served.users(Some(served.token("sue").await?)).create_user(created).await?;
    let record = of_method(&served, "CreateUser", 1).await?.remove(0);
    assert_eq!(record.request, r#"{"name":"eve","role":"ROLE_USER"}"#);
    Ok(())
}

async fn requests_that_share_a_transaction_have_a_record_each(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let pools = served.pools("ann").await?;
    let asked = (0..8).map(|n| {
        let mut pools = pools.clone();
        async move {
            let group = if n % 4 == 3 { "nothing" } else { "app" };
            let request = RequestPoolRequest { group: group.to_owned(), ..wanted() };
            pools.request_pool(request).await
        }
    });
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 6);
    let found = of_method(&served, "RequestPool", 8).await?;
    assert_eq!(found.iter().filter(|record| record.result == "OK").count(), 6);
    assert_eq!(
        found.iter().filter(|record| record.result == "NOT_FOUND" && record.request.contains("nothing")).count(),
        2
    );
    Ok(())
}

async fn refusals_are_recorded_afterwards(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let pool = served.pool("ann").await?;
    let theirs = served.pools("ben").await?.kill_pool(KillPoolRequest { id: pool.id }).await;
    assert_eq!(theirs.unwrap_err().code(), Code::NotFound);
    let record = of_method(&served, "KillPool", 1).await?.remove(0);
    assert_eq!((record.user.as_str(), record.result.as_str()), ("ben", "NOT_FOUND"));
    assert!(record.message.contains("you have no pool"), "{record:?}");
    let guess = LoginRequest { name: "ann".to_owned(), password: "a guess".to_owned(), ..Default::default() };
    assert!(served.users(None).login(guess).await.is_err());
    let record = of_method(&served, "Login", 1).await?.remove(0);
    assert_eq!((record.user.as_str(), record.result.as_str()), ("", "UNAUTHENTICATED"));
    assert_eq!(record.request, r#"{"name":"ann"}"#);
    let right = LoginRequest { name: "ann".to_owned(), password: PASSWORD.to_owned(), ..Default::default() };
    served.users(None).login(right).await?;
    let record = of_method(&served, "Login", 2).await?.remove(0);
    assert_eq!((record.user.as_str(), record.result.as_str()), ("ann", "OK"));
    Ok(())
}

async fn reads_are_not_recorded_unless_they_are_not_allowed(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut pools = served.pools("ann").await?;
    assert!(pools.get_pool(GetPoolRequest { id: 12345 }).await.is_err());
    assert!(served.users(None).who_am_i(WhoAmIRequest {}).await.is_err());
    let mut workers = WorkerServiceClient::new(served.of("ann").await?);
    assert_eq!(workers.list_workers(ListWorkersRequest {}).await.unwrap_err().code(), Code::PermissionDenied);
    let record = of_method(&served, "ListWorkers", 1).await?.remove(0);
    assert_eq!((record.user.as_str(), record.result.as_str()), ("ann", "PERMISSION_DENIED"));
    let all = records(&served, ListRecordsRequest::default()).await?;
    assert!(all.iter().all(|record| !record.method.contains("Get") && !record.method.contains("WhoAmI")), "{all:?}");
    Ok(())
}

async fn a_change_that_is_not_committed_has_no_record(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let pool = served.pool("ann").await?;
    // Its lease starts when it is ready: refused after it was locked.
    let lease = Some(prost_types::Duration { seconds: 600, nanos: 0 });
    let request = ExtendPoolRequest { id: pool.id, lease, ..Default::default() };
    assert_eq!(served.pools("ann").await?.extend_pool(request).await.unwrap_err().code(), Code::FailedPrecondition);
    let found = of_method(&served, "ExtendPool", 1).await?;
    assert_eq!(found.iter().map(|record| record.result.as_str()).collect::<Vec<_>>(), ["FAILED_PRECONDITION"]);
    Ok(())
}

async fn filters_and_pages(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    for name in ["ann", "ben", "ann"] {
        served.pool(name).await?;
    }
    let _ = served.pools("ann").await?.kill_pool(KillPoolRequest { id: 12345 }).await;
    of_method(&served, "KillPool", 1).await?;
    let ann = || ListRecordsRequest { user: Some("ann".to_owned()), ..Default::default() };
    let results = |records: Vec<Record>| records.into_iter().map(|record| record.result).collect::<Vec<_>>();
    assert_eq!(results(records(&served, ann()).await?), ["NOT_FOUND", "OK", "OK"]);
    assert_eq!(results(records(&served, ListRecordsRequest { refused: true, ..ann() }).await?), ["NOT_FOUND"]);
    let tx = served.database.store().read().await?;
    let now = tx.now();
    drop(tx);
    let since = |seconds: i64| ListRecordsRequest {
        since: Some(prost_types::Timestamp { seconds: now.timestamp() + seconds, nanos: 0 }),
        ..ann()
    };
    assert_eq!(records(&served, since(-600)).await?.len(), 3);
    assert_eq!(records(&served, since(600)).await?.len(), 0);
    let mut client = log(&served).await?;
    let first = client.list_records(ListRecordsRequest { page_size: 2, ..ann() }).await?.into_inner();
    assert_eq!(first.records.len(), 2);
    let page_token = first.next_page_token;
    let second = client.list_records(ListRecordsRequest { page_size: 2, page_token, ..ann() }).await?.into_inner();
    assert_eq!((second.records.len(), second.next_page_token.as_str()), (1, ""));
    let wrong = ListRecordsRequest { since: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }), ..ann() };
    let refused = client.list_records(wrong).await;
    assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), "since");
    Ok(())
}
