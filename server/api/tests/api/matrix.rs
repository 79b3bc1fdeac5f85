//! Who may do what to whose: every rpc called by every kind of caller on one user's pool and appliance, compared whole with `matrix.txt`. An rpc
//! that is not in there, or whose answer changed, fails here; `UPDATE_MATRIX=1` writes the file anew, for its differences to be read.

use std::{fmt::Write as _, time::Duration};

use prost::bytes::{Buf, BufMut};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MethodDescriptor};
use serde_json::{Value, json};
use sprout_api::{Effect, row};
use sprout_app::ports::{Page, PoolFilter, TokenOwner, WorkflowFilter};
use sprout_domain::{
    Secret, WorkerId,
    pool::{PoolRequest, PoolState},
    user::{Role, User},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::time::timeout;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::support::{Connection, PASSWORD, Served, reason, soon};

on_each_database!(everyone_may_do_what_the_matrix_says);

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/matrix.txt");
const HEAD: &str = "\
# What each kind of caller is answered, one letter for each, in this order:
#   anonymous, a user of no group, the owner, another user of the owner's group, a user of another group, staff, superuser, worker
# y: may   n: PERMISSION_DENIED   0: NOT_FOUND   a: UNAUTHENTICATED   -: not built
";
/// Streams that go on have begun by then.
const BEGUN: Duration = Duration::from_millis(100);

/// Bytes as they are, for messages of any rpc.
#[derive(Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        buffer.advance(buffer.remaining());
        Ok(Some(()))
    }
}

/// What is asked about: all of it the owner's.
struct Subject {
    pool: i64,
    appliance: i64,
    workflow: i64,
}

/// The world of one test, and who calls.
struct World {
    served: Served,
    callers: Vec<Option<TokenOwner>>,
    owner: User,
    superuser: User,
}

impl World {
    async fn new(database: TestDatabase) -> anyhow::Result<Self> {
        let served = Served::new(database).await?;
        let app = &served.app;
        let nora = app.create_user("nora", Secret::new(PASSWORD), Role::User).await?;
        let oscar = app.create_user("oscar", Secret::new(PASSWORD), Role::User).await?;
        let ann = served.user("ann").await?;
        let sue = served.user("sue").await?;
        app.create_user_group(&sue, "others", vec!["oscar".to_owned()], vec!["broken".into()]).await?;
        let user = |user: &User| Some(TokenOwner::User(user.id));
        let (ben, stan) = (served.user("ben").await?, served.user("stan").await?);
        let worker = Some(TokenOwner::Worker(WorkerId::from("w1")));
        let callers = vec![None, user(&nora), user(&ann), user(&ben), user(&oscar), user(&stan), user(&sue), worker];
        Ok(Self { served, callers, owner: ann, superuser: sue })
    }

    async fn token(&self, caller: usize) -> anyhow::Result<Option<String>> {
        match self.callers[caller].clone() {
            Some(owner) => Ok(Some(self.served.token_of(owner).await?)),
            None => Ok(None),
        }
    }

    async fn subject(&self) -> anyhow::Result<Subject> {
        let request = PoolRequest::new(uuid::Uuid::new_v4().to_string(), "app", 1);
        let view = self.served.app.request_pool(&self.owner, request).await?.view;
        let appliance =
            view.appliances.first().ok_or_else(|| anyhow::anyhow!("there was no room for another subject"))?.id;
        let filter = WorkflowFilter { appliance_id: Some(appliance), ..WorkflowFilter::default() };
        let workflows = self.served.app.workflows(&filter, Page { before: None, limit: 1 }).await?;
        Ok(Subject {
            pool: view.pool.id.0,
            appliance: appliance.0,
            workflow: workflows.first().map_or(0, |workflow| workflow.id.0),
        })
    }

    /// Ends what was made for one call, and by it, so that there is room for the next.
    async fn tidy(&self, kept: &Subject) -> anyhow::Result<()> {
        let states = vec![PoolState::Waiting, PoolState::Provisioning, PoolState::Ready];
        let filter = PoolFilter { states, ..PoolFilter::default() };
        for view in self.served.app.pools(&self.superuser, filter, Page { before: None, limit: 100 }).await? {
            if view.pool.id.0 != kept.pool {
                self.served.app.kill_pool(&self.superuser, view.pool.id).await?;
            }
        }
        Ok(())
    }

    /// The letter for one caller.
    async fn letter(
        &self,
        method: &MethodDescriptor,
        caller: usize,
        connection: Connection,
        subject: &Subject,
    ) -> anyhow::Result<char> {
        let message = request(method, subject)?;
        let answer = call(connection, method, message).await?;
        Ok(match answer {
            Ok(()) => 'y',
            Err(status) => match (status.code(), reason(&status).as_str()) {
                (Code::Unimplemented, "NOT_BUILT") => '-',
                (Code::Unauthenticated, "NOT_SIGNED_IN") => 'a',
                (Code::PermissionDenied, _) => 'n',
                (Code::NotFound, _) => '0',
                (Code::Internal | Code::Unknown, _) => {
                    anyhow::bail!("{} by caller {caller}: {status:?}", method.full_name())
                }
                _ => 'y',
            },
        })
    }
}

/// What an rpc is called with, besides the id of what its service is about.
fn particulars(method: &str, subject: &Subject) -> Value {
    let fresh = || uuid::Uuid::new_v4().to_string();
    match method {
        "PoolService/RequestPool" => json!({"request_id": fresh(), "group": "app", "count": 1}),
        "PoolService/ExtendPool" | "ApplianceService/ExtendAppliance" => json!({"lease": "600s"}),
        "PoolService/ClonePool" => json!({"request_id": fresh()}),
        "PoolService/MergePools" => json!({"target_id": subject.pool, "source_id": subject.pool}),
        "PoolService/TransferPool" => json!({"owner": "ben"}),
        "PoolService/KillPools" => json!({"owner": "ann"}),
        "ApplianceService/RenameAppliance" => json!({"name": "renamed"}),
        "ApplianceService/HoldAppliance" => json!({"reason": "to look at it", "time": "600s"}),
        "ApplianceService/AttachDisk" => json!({"size_mib": 1024}),
        "EventService/Watch" | "EventService/ListEvents" => json!({"pool_id": subject.pool}),
        "ProviderService/GetProvider" | "ProviderService/CheckProvider" | "ProviderService/CloseCircuit" => {
            json!({"key": "lab"})
        }
        "ProviderService/UpdateProvider" => json!({"key": "lab", "disabled": false}),
        "ProviderService/ListMachines" => json!({"provider": "lab"}),
        "ProviderService/StartMachine" | "ProviderService/StopMachine" => {
            json!({"provider": "lab", "name": "left-over"})
        }
        "ProviderService/DeleteMachine" => {
            json!({"provider": "lab", "name": "left-over", "confirm_name": "left-over"})
        }
        "GroupService/GetGroup" => json!({"name": "app"}),
        "ShepherdService/SetShepherd" | "ShepherdService/PlanShepherd" => {
            json!({"shepherd": {"group": "app", "user_group": "testers", "preconfigured": 0}})
        }
        "CatalogueService/ReadNames" => json!({"names": ["app-1.0"]}),
        "CleanupService/CreateRule" => json!({"name_pattern": "old-.*", "min_age": "86400s", "provider": "lab"}),
        "JobService/RunJob" | "JobService/PauseJob" | "JobService/ResumeJob" | "JobService/ListJobRuns" => {
            json!({"name": "provider-check"})
        }
        "UserService/Login" => json!({"name": "ann", "password": PASSWORD}),
        "UserService/ChangePassword" => json!({"old_password": PASSWORD, "new_password": PASSWORD}),
        "UserService/CreateToken" => json!({"name": fresh(), "scope": "TOKEN_SCOPE_READ"}),
        "UserService/ListTokens" | "UsageService/QueryUsage" => json!({"user": "ann"}),
        "UserService/CreateUser" => {
            json!({"name": format!("u{}", unused_name()), "password": PASSWORD, "role": "ROLE_USER"})
        }
        "UserService/GetUser" => json!({"name": "ann"}),
        "UserService/UpdateUser" => json!({"name": "ann", "can_override_hardware": false}),
        "UserService/SetQuota" => json!({"user": "ann", "quota": {}}),
        "UserGroupService/GetUserGroup" => json!({"name": "testers"}),
        "UserGroupService/CreateUserGroup" => json!({"name": format!("g{}", unused_name())}),
        "UserGroupService/UpdateUserGroup" => json!({"name": "testers", "add_members": ["ann"]}),
        "UserGroupService/DeleteUserGroup" => json!({"name": "none"}),
        "WorkerService/CreateJoinToken" => json!({"id": "w2", "lifetime": "600s"}),
        "WorkerService/GetWorker"
        | "WorkerService/DrainWorker"
        | "WorkerService/UndrainWorker"
        | "WorkerService/RevokeJoinTokens"
        | "WorkerService/RemoveWorker" => {
            json!({"id": "w1"})
        }
        "WorkflowService/Ping" => json!({"provider": "lab", "count": 1}),
        _ => json!({}),
    }
}

fn unused_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn request(method: &MethodDescriptor, subject: &Subject) -> anyhow::Result<Vec<u8>> {
    use prost::Message as _;
    let service = method.parent_service().name().to_owned();
    let mut fields = particulars(&format!("{service}/{}", method.name()), subject);
    let id = method.input().get_field_by_name("id").filter(|field| field.kind() == Kind::Uint64);
    if id.is_some() {
        fields["id"] = match service.as_str() {
            "PoolService" => subject.pool,
            "ApplianceService" => subject.appliance,
            "WorkflowService" => subject.workflow,
            _ => 1,
        }
        .into();
    }
    Ok(DynamicMessage::deserialize(method.input(), fields)?.encode_to_vec())
}

/// Calls an rpc; its answer is whether a first message came, or none and no refusal for a while.
async fn call(
    connection: Connection,
    method: &MethodDescriptor,
    message: Vec<u8>,
) -> anyhow::Result<Result<(), Status>> {
    let mut grpc = Grpc::new(connection);
    grpc.ready().await?;
    let path = path(method).try_into()?;
    let answer = match soon(grpc.streaming(Request::new(tokio_stream::once(message)), path, Bytes)).await? {
        Ok(answer) => answer,
        Err(status) => return Ok(Err(status)),
    };
    let mut messages = answer.into_inner();
    Ok(match timeout(BEGUN, messages.message()).await {
        Ok(first) => first.map(drop),
        Err(_) if method.is_server_streaming() => Ok(()),
        Err(_) => soon(messages.message()).await?.map(drop),
    })
}

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

async fn everyone_may_do_what_the_matrix_says(database: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(database).await?;
    let kept = world.subject().await?;
    let pool = DescriptorPool::decode(sprout_proto::DESCRIPTORS)?;
    let mut lines = Vec::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let row = row(&path(&method)).ok_or_else(|| anyhow::anyhow!("{} has no row", path(&method)))?;
        let mut letters = String::new();
        for caller in 0..world.callers.len() {
            // What is used up is made anew for each: tokens by those who sign out or change passwords, pools by those who kill them.
            let token = world.token(caller).await?;
            let fresh = if row.effect == Effect::Works && caller > 0 { Some(world.subject().await?) } else { None };
            let connection = world.served.with_token(token);
            letters.push(world.letter(&method, caller, connection, fresh.as_ref().unwrap_or(&kept)).await?);
            if fresh.is_some() {
                world.tidy(&kept).await?;
            }
        }
        lines.push(format!("{letters}  {}", path(&method).trim_start_matches('/')));
    }
    lines.sort_by(|a, b| a.split_whitespace().nth(1).cmp(&b.split_whitespace().nth(1)));
    compare(&lines)
}

fn compare(lines: &[String]) -> anyhow::Result<()> {
    let found = format!("{HEAD}{}\n", lines.join("\n"));
    if std::env::var_os("UPDATE_MATRIX").is_some() {
        return Ok(std::fs::write(FILE, found)?);
    }
    let expected = std::fs::read_to_string(FILE)?;
    let mut differences = String::new();
    for line in expected.lines().filter(|line| !found.contains(&format!("{line}\n"))) {
        writeln!(differences, "- {line}")?;
    }
    for line in found.lines().filter(|line| !expected.contains(&format!("{line}\n"))) {
        writeln!(differences, "+ {line}")?;
    }
    anyhow::ensure!(
        differences.is_empty(),
        "rights have changed (if they should, run with UPDATE_MATRIX=1):\n{differences}"
    );
    Ok(())
}
