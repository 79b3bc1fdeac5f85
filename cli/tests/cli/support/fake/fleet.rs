//! Canned answers on workers, tasks and workflows; for staff, who has the token `staff`.

use std::collections::HashMap;

use sprout_client::proto::{
    task::{self, Lane, Task, TaskState, task_service_server::TaskService},
    worker::{self, LaneSlots, Worker, worker_service_server::WorkerService},
    workflow::{self, Workflow, WorkflowKind, WorkflowState, workflow_service_server::WorkflowService},
};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{Answer, Fake, Stream_, appliance, at};

pub(super) fn is_staff<T>(request: &Request<T>) -> bool {
    request.metadata().get("authorization").is_some_and(|value| value == "Bearer staff")
}

pub(super) fn refused(code: Code, reason: &str, message: &str) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, "sprout", HashMap::new()))
}

/// Worker w1 works, w2 is silent and drained; there is no other.
fn worker_of(id: &str) -> Result<Worker, Status> {
    let w1 = Worker {
        id: "w1".into(),
        version: "0.1.0".into(),
        connected: true,
        slots: 8,
        running: 2,
        provider_types: vec!["container".into(), "sim".into()],
        labels: HashMap::from([("site".to_owned(), "lab".to_owned())]),
        lane_slots: vec![LaneSlots { lane: Lane::Kill.into(), slots: 4 }],
        ..Worker::default()
    };
    match id {
        "w1" => Ok(w1),
        "w2" => {
            Ok(Worker { id: "w2".into(), connected: false, drained: true, running: 0, lane_slots: Vec::new(), ..w1 })
        }
        _ => Err(refused(Code::NotFound, "WORKER_NOT_FOUND", &format!("there is no worker {id}"))),
    }
}

/// Task 1 runs, 2 waits for its next try, 3 is done; the others are not there.
fn task_of(id: u64) -> Result<Task, Status> {
    let running = Task {
        id,
        workflow_id: 31,
        workflow: "deploy".into(),
        step: "clone".into(),
        state: TaskState::Running.into(),
        lane: Lane::Provision.into(),
        provider: "docker".into(),
        appliance_id: Some(12),
        attempt: 1,
        epoch: 1,
        worker_id: "w1".into(),
        status: "copying disk".into(),
        created_at: Some(at(1_700_000_000)),
        due_at: Some(at(1_700_000_000)),
        started_at: Some(at(1_700_000_001)),
        ..Task::default()
    };
    let state = match id {
        1 => return Ok(running),
        2 => TaskState::Retrying,
        3 => TaskState::Done,
        _ => return Err(refused(Code::NotFound, "TASK_NOT_FOUND", &format!("there is no task {id}"))),
    };
    let finished_at = (id == 3).then(|| at(1_700_000_005));
    let error = if id == 2 { "no room".to_owned() } else { String::new() };
    let step = if id == 2 { "start".to_owned() } else { "tag".to_owned() };
    Ok(Task { state: state.into(), error, step, position: 1, finished_at, ..running })
}

/// The parent of two checks, of which this many are open.
pub(super) fn checks(open: u32) -> Workflow {
    Workflow {
        id: 40,
        kind: WorkflowKind::CheckProviders.into(),
        state: if open == 0 { WorkflowState::Failed } else { WorkflowState::Running }.into(),
        child_count: 2,
        open_child_count: open,
        created_at: Some(at(1_700_000_000)),
        finished_at: (open == 0).then(|| at(1_700_000_002)),
        ..Workflow::default()
    }
}

fn check(id: u64, provider: &str, error: &str) -> Workflow {
    Workflow {
        id,
        kind: WorkflowKind::CheckProvider.into(),
        state: if error.is_empty() { WorkflowState::Succeeded } else { WorkflowState::Failed }.into(),
        provider: provider.into(),
        parent_id: Some(40),
        error: error.into(),
        created_at: Some(at(1_700_000_000)),
        finished_at: Some(at(1_700_000_001)),
        ..Workflow::default()
    }
}

fn deployment() -> Workflow {
    Workflow {
        id: 31,
        kind: WorkflowKind::Deploy.into(),
        state: WorkflowState::Running.into(),
        provider: "docker".into(),
        appliance_id: Some(12),
        step: "clone".into(),
        created_at: Some(at(1_700_000_000)),
        ..Workflow::default()
    }
}

fn pings(open: u32, state: WorkflowState) -> Workflow {
    let ended = at(1_700_000_000);
    Workflow {
        id: 50,
        kind: WorkflowKind::Pings.into(),
        state: state.into(),
        child_count: 1000,
        open_child_count: open,
        created_at: Some(ended),
        finished_at: (open == 0).then_some(prost_types::Timestamp { nanos: 250_000_000, ..ended }),
        ..Workflow::default()
    }
}

impl Fake {
    fn ask(&self, what: &str, id: impl std::fmt::Display) {
        self.asked.lock().unwrap().push(format!("{what} {id}"));
    }
}

#[tonic::async_trait]
impl WorkerService for Fake {
    type SessionStream = Stream_<worker::SessionResponse>;

    async fn session(&self, _: Request<Streaming<worker::SessionRequest>>) -> Answer<Self::SessionStream> {
        Err(Status::unimplemented("no workers here"))
    }

    async fn join(&self, _: Request<worker::JoinRequest>) -> Answer<worker::JoinResponse> {
        Err(Status::unimplemented("no workers here"))
    }

    async fn renew_certificate(
        &self,
        _: Request<worker::RenewCertificateRequest>,
    ) -> Answer<worker::RenewCertificateResponse> {
        Err(Status::unimplemented("no workers here"))
    }

    async fn create_join_token(
        &self,
        request: Request<worker::CreateJoinTokenRequest>,
    ) -> Answer<worker::CreateJoinTokenResponse> {
        let worker::CreateJoinTokenRequest { id, lifetime } = request.into_inner();
        self.ask("token", format!("{id} {:?}", lifetime.map(|lifetime| lifetime.seconds)));
        let expires_at = Some(prost_types::Timestamp { seconds: 1_900_000_000, nanos: 0 });
        Ok(Response::new(worker::CreateJoinTokenResponse { join_token: "spj_test".to_owned(), expires_at }))
    }

    async fn list_workers(&self, request: Request<worker::ListWorkersRequest>) -> Answer<worker::ListWorkersResponse> {
        if !is_staff(&request) {
            return Err(Status::permission_denied("only staff may see workers"));
        }
        let workers = vec![worker_of("w1")?, worker_of("w2")?];
        self.listed.notify_one();
        Ok(Response::new(worker::ListWorkersResponse { workers }))
    }

    async fn get_worker(&self, request: Request<worker::GetWorkerRequest>) -> Answer<worker::GetWorkerResponse> {
        let worker = worker_of(&request.into_inner().id)?;
        let tasks = if worker.running > 0 { vec![task_of(1)?] } else { Vec::new() };
        Ok(Response::new(worker::GetWorkerResponse { worker: Some(worker), tasks }))
    }

    async fn drain_worker(&self, request: Request<worker::DrainWorkerRequest>) -> Answer<worker::DrainWorkerResponse> {
        let id = request.into_inner().id;
        let worker = Some(Worker { drained: true, ..worker_of(&id)? });
        self.ask("drain", id);
        Ok(Response::new(worker::DrainWorkerResponse { worker }))
    }

    async fn undrain_worker(
        &self,
        request: Request<worker::UndrainWorkerRequest>,
    ) -> Answer<worker::UndrainWorkerResponse> {
        let id = request.into_inner().id;
        let worker = Some(Worker { drained: false, ..worker_of(&id)? });
        self.ask("undrain", id);
        Ok(Response::new(worker::UndrainWorkerResponse { worker }))
    }

    async fn list_join_tokens(
        &self,
        _: Request<worker::ListJoinTokensRequest>,
    ) -> Answer<worker::ListJoinTokensResponse> {
        let token = worker::JoinToken { worker_id: "w9".to_owned(), expires_at: Some(at(1_700_000_000)) };
        Ok(Response::new(worker::ListJoinTokensResponse { join_tokens: vec![token] }))
    }

    async fn revoke_join_tokens(
        &self,
        request: Request<worker::RevokeJoinTokensRequest>,
    ) -> Answer<worker::RevokeJoinTokensResponse> {
        self.ask("revoke", request.into_inner().id);
        Ok(Response::new(worker::RevokeJoinTokensResponse { count: 1 }))
    }

    async fn remove_worker(
        &self,
        request: Request<worker::RemoveWorkerRequest>,
    ) -> Answer<worker::RemoveWorkerResponse> {
        let id = request.into_inner().id;
        worker_of(&id)?;
        self.ask("remove", id);
        Ok(Response::new(worker::RemoveWorkerResponse {}))
    }
}

#[tonic::async_trait]
impl TaskService for Fake {
    async fn list_tasks(&self, request: Request<task::ListTasksRequest>) -> Answer<task::ListTasksResponse> {
        let request = request.into_inner();
        self.ask("list", format!("{:?} {:?} {:?}", request.states, request.worker_id, request.workflow_id));
        let tasks = vec![task_of(2)?, task_of(1)?];
        Ok(Response::new(task::ListTasksResponse { tasks, next_page_token: String::new() }))
    }

    async fn get_task(&self, request: Request<task::GetTaskRequest>) -> Answer<task::GetTaskResponse> {
        Ok(Response::new(task::GetTaskResponse { task: Some(task_of(request.into_inner().id)?) }))
    }

    async fn cancel_task(&self, request: Request<task::CancelTaskRequest>) -> Answer<task::CancelTaskResponse> {
        let id = request.into_inner().id;
        let task = task_of(id)?;
        if task.state() != TaskState::Running {
            let message = format!("task {id} is not running");
            return Err(refused(Code::FailedPrecondition, "TASK_NOT_RUNNING", &message));
        }
        self.ask("cancel", id);
        Ok(Response::new(task::CancelTaskResponse { task: Some(Task { cancel_requested: true, ..task }) }))
    }

    async fn retry_task(&self, request: Request<task::RetryTaskRequest>) -> Answer<task::RetryTaskResponse> {
        let id = request.into_inner().id;
        let task = task_of(id)?;
        if task.state() != TaskState::Retrying {
            let message = format!("task {id} does not wait for its next try");
            return Err(refused(Code::FailedPrecondition, "TASK_NOT_RETRYING", &message));
        }
        self.ask("retry", id);
        Ok(Response::new(task::RetryTaskResponse { task: Some(task) }))
    }

    type WatchTaskLogsStream = Stream_<task::WatchTaskLogsResponse>;

    async fn watch_task_logs(&self, request: Request<task::WatchTaskLogsRequest>) -> Answer<Self::WatchTaskLogsStream> {
        let request = request.into_inner();
        task_of(request.id)?;
        let watches = {
            let mut watches = self.watches.lock().unwrap();
            *watches += 1;
            *watches
        };
        let say = |lines: &[&str]| {
            Ok(task::WatchTaskLogsResponse { lines: lines.iter().map(|line| (*line).to_owned()).collect() })
        };
        let said = match (request.id, watches) {
            (3, _) => vec![],
            (_, 1) if request.follow => {
                vec![say(&["one", "two"]), Err(Status::unavailable("the server is restarting"))]
            }
            _ => vec![say(&["one"]), say(&["two", "three"])],
        };
        Ok(Response::new(Box::pin(tokio_stream::iter(said).fuse())))
    }
}

#[tonic::async_trait]
impl WorkflowService for Fake {
    async fn list_workflows(
        &self,
        request: Request<workflow::ListWorkflowsRequest>,
    ) -> Answer<workflow::ListWorkflowsResponse> {
        let workflows = match request.into_inner().parent_id {
            None => vec![checks(1), deployment()],
            Some(_) => vec![check(41, "docker", ""), check(42, "broken", "connection refused")],
        };
        Ok(Response::new(workflow::ListWorkflowsResponse { workflows, next_page_token: String::new() }))
    }

    async fn get_workflow(
        &self,
        request: Request<workflow::GetWorkflowRequest>,
    ) -> Answer<workflow::GetWorkflowResponse> {
        let id = request.into_inner().id;
        let look = {
            let mut looks = self.looks.lock().unwrap();
            let look = looks.entry(id).or_default();
            *look += 1;
            *look
        };
        let workflow = match (id, look) {
            (31, _) => deployment(),
            (40 | 50, 2) => return Err(Status::unavailable("the server is restarting")),
            (40, look) => checks(u32::from(look < 3)),
            (50, 1) => pings(600, WorkflowState::Running),
            (50, _) => pings(0, WorkflowState::Succeeded),
            (51, _) => Workflow { id: 51, ..pings(0, WorkflowState::Cancelled) },
            (52, _) => Workflow { id: 52, ..pings(1000, WorkflowState::Running) },
            (id, _) => {
                return Err(refused(Code::NotFound, "WORKFLOW_NOT_FOUND", &format!("there is no workflow {id}")));
            }
        };
        let tasks = if workflow.child_count == 0 { vec![task_of(1)?, task_of(2)?] } else { Vec::new() };
        Ok(Response::new(workflow::GetWorkflowResponse { workflow: Some(workflow), tasks }))
    }

    async fn cancel_workflow(
        &self,
        request: Request<workflow::CancelWorkflowRequest>,
    ) -> Answer<workflow::CancelWorkflowResponse> {
        let id = request.into_inner().id;
        if id == 99 {
            let message = "a kill cannot be cancelled";
            return Err(refused(Code::FailedPrecondition, "WORKFLOW_NOT_CANCELLABLE", message));
        }
        self.ask("cancel workflow", id);
        let workflow = Workflow {
            state: WorkflowState::Cancelled.into(),
            step: String::new(),
            finished_at: Some(at(1_700_000_003)),
            ..deployment()
        };
        Ok(Response::new(workflow::CancelWorkflowResponse { workflow: Some(workflow) }))
    }

    async fn ping(&self, request: Request<workflow::PingRequest>) -> Answer<workflow::PingResponse> {
        let request = request.into_inner();
        let id = match request.provider.as_str() {
            "docker" => 50,
            "cancelled" => 51,
            "slow" => 52,
            key => return Err(refused(Code::NotFound, "PROVIDER_NOT_FOUND", &format!("there is no provider {key}"))),
        };
        self.ask("ping", request.count);
        let workflow = Some(Workflow { id, ..pings(request.count, WorkflowState::Running) });
        Ok(Response::new(workflow::PingResponse { workflow }))
    }

    type WatchWorkflowStream = Stream_<workflow::WatchWorkflowResponse>;

    async fn watch_workflow(
        &self,
        request: Request<workflow::WatchWorkflowRequest>,
    ) -> Answer<Self::WatchWorkflowStream> {
        let watches = {
            let mut watches = self.watches.lock().unwrap();
            *watches += 1;
            *watches
        };
        let said = appliance::watched(request.into_inner().id, watches);
        Ok(Response::new(Box::pin(tokio_stream::iter(said))))
    }
}
