//! Every rpc there is, called by every kind of caller, held against the table. A new rpc without a row fails here.

use prost::Message;
use prost_types::FileDescriptorSet;
use sprout_api::{Access, row};
use sprout_domain::{Secret, WorkerId};
use sprout_proto::worker::worker_service_client::WorkerServiceClient;
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::{Code, Request, Status, client::Grpc};
use tonic_prost::ProstCodec;

use crate::support::{Connection, Served, assert_refused, reason, soon};

on_each_database!(each_rpc_lets_in_whom_the_table_says, an_rpc_without_a_row_is_denied, a_session_knows_its_worker);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
    Anonymous,
    Garbage,
    User,
    Staff,
    Superuser,
    Worker,
}

impl Who {
    const ALL: [Self; 6] = [Self::Anonymous, Self::Garbage, Self::User, Self::Staff, Self::Superuser, Self::Worker];

    fn may(self, access: Access) -> bool {
        match access {
            Access::Anyone => true,
            Access::User => matches!(self, Self::User | Self::Staff | Self::Superuser),
            Access::Staff => matches!(self, Self::Staff | Self::Superuser),
            Access::Superuser => self == Self::Superuser,
            Access::Worker => self == Self::Worker,
        }
    }

    /// A token of its own for each call, because logging out is one of the calls.
    async fn token(self, served: &Served) -> anyhow::Result<Option<String>> {
        Ok(match self {
            Self::Anonymous => None,
            Self::Garbage => Some("spr_garbage".to_owned()),
            Self::User => Some(served.token("ann").await?),
            Self::Staff => Some(served.token("stan").await?),
            Self::Superuser => Some(served.token("sue").await?),
            Self::Worker => Some(worker_token(served).await?.expose().to_owned()),
        })
    }
}

async fn worker_token(served: &Served) -> anyhow::Result<Secret> {
    Ok(served.app.create_worker_token(&WorkerId::from("w1")).await?)
}

/// The paths of all rpcs served.
fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    for descriptors in [
        sprout_proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    ] {
        for file in FileDescriptorSet::decode(descriptors).unwrap().file {
            for service in &file.service {
                let path = |method: &str| format!("/{}.{}/{method}", file.package(), service.name());
                paths.extend(service.method.iter().map(|method| path(method.name())));
            }
        }
    }
    paths
}

/// Calls any rpc; its answer is whether a first message came.
async fn call<M: Message + Default + 'static>(
    connection: Connection,
    path: &str,
    message: M,
) -> anyhow::Result<Result<(), Status>> {
    let mut grpc = Grpc::new(connection);
    grpc.ready().await?;
    let codec = ProstCodec::<M, ()>::default();
    let messages = Request::new(tokio_stream::once(message));
    let answer = soon(grpc.streaming(messages, path.try_into()?, codec)).await?;
    Ok(match answer {
        Ok(answer) => soon(answer.into_inner().message()).await?.map(drop),
        Err(status) => Err(status),
    })
}

#[test]
fn every_rpc_has_a_row() {
    let (paths, missing): (Vec<_>, Vec<_>) = paths().into_iter().partition(|path| row(path).is_some());
    assert!(missing.is_empty(), "no row in server/api/src/access.rs for {missing:?}");
    assert!(paths.len() > 25, "only {} rpcs were found", paths.len());
}

async fn each_rpc_lets_in_whom_the_table_says(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    for path in paths() {
        let access = row(&path).ok_or_else(|| anyhow::anyhow!("{path} has no row"))?.access;
        for who in Who::ALL {
            let connection = served.with_token(who.token(&served).await?);
            let answer = call(connection, &path, ()).await?;
            let refusal = answer.err().map(|status| (status.code(), reason(&status)));
            let expected = match who {
                _ if who.may(access) => None,
                Who::Anonymous | Who::Garbage => Some((Code::Unauthenticated, "NOT_SIGNED_IN".to_owned())),
                _ => Some((Code::PermissionDenied, "NOT_ALLOWED".to_owned())),
            };
            let refused_at_the_gate = refusal.clone().filter(|(code, reason)| {
                reason != "NOT_BUILT"
                    && matches!(code, Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented)
            });
            assert_eq!(refused_at_the_gate, expected, "{path} called by {who:?}: {refusal:?}");
        }
    }
    Ok(())
}

async fn an_rpc_without_a_row_is_denied(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    for path in ["/sprout.pool.v1.PoolService/Unheard", "/no.such.Service/Method"] {
        let answer = call(served.of("sue").await?, path, ()).await?;
        assert_refused(answer, Code::Unimplemented, "UNKNOWN_RPC", "does not offer this call");
    }
    Ok(())
}

async fn a_session_knows_its_worker(database: TestDatabase) -> anyhow::Result<()> {
    use sprout_proto::worker::session_response::Message::Welcome;
    let served = Served::new(database).await?;
    let token = worker_token(&served).await?.expose().to_owned();
    let mut client = WorkerServiceClient::new(served.with_token(Some(token)));
    let mut session = client.session(tokio_stream::empty()).await?.into_inner();
    let first = soon(session.message()).await??.and_then(|response| response.message);
    assert!(matches!(first, Some(Welcome(welcome)) if welcome.server_version == "w1"));
    Ok(())
}
