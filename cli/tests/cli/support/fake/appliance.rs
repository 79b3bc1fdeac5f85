//! Appliances: 12 can be worked on, 13 is gone, 14 is in every state already, 15 is on a provider that can do nothing, and with 16 all fails.

use sprout_client::proto::{
    appliance::{self as proto, Appliance, ApplianceState, appliance_service_server::ApplianceService},
    task::Task,
    workflow::{WatchWorkflowResponse, Workflow, WorkflowKind, WorkflowState},
};
use tonic::{Code, Request, Response, Status};

use super::{Answer, Fake, Stream_, appliance, at, fleet::refused};

/// One of them.
fn known(id: u64) -> Result<Appliance, Status> {
    match id {
        12 | 14 | 15 | 16 => {
            Ok(Appliance { leased_until: Some(at(4_000_000_000)), ..appliance(id, ApplianceState::Ready, 100) })
        }
        13 => Ok(Appliance { pool_id: None, ..appliance(13, ApplianceState::Gone, 100) }),
        _ => Err(refused(Code::NotFound, "APPLIANCE_NOT_FOUND", &format!("you have no appliance {id}"))),
    }
}

/// What was begun with it, if that is possible.
fn begun(fake: &Fake, id: u64, what: &str) -> Result<(Option<Appliance>, Option<u64>), Status> {
    let appliance = known(id)?;
    match id {
        13 => {
            let says = format!("{} is gone, and {what} is not possible then; request a new one", appliance.name);
            return Err(refused(Code::FailedPrecondition, "WRONG_STATE", &says));
        }
        15 => {
            let says =
                "provider docker cannot do that; use an appliance on another one (see `sproutctl provider list`)";
            return Err(refused(Code::Unimplemented, "UNSUPPORTED", says));
        }
        _ => fake.asked.lock().unwrap().push(format!("{what} {id}")),
    }
    let workflow = match id {
        14 => None,
        16 => Some(61),
        _ => Some(60),
    };
    Ok((Some(appliance), workflow))
}

/// What a workflow says: one that is interrupted and then goes well, and one that goes badly.
pub(super) fn watched(id: u64, watches: u32) -> Vec<Result<WatchWorkflowResponse, Status>> {
    let say = |state: WorkflowState, step: &str, error: &str| {
        let workflow = Workflow {
            id,
            kind: WorkflowKind::Stop.into(),
            state: state.into(),
            step: step.to_owned(),
            error: error.to_owned(),
            finished_at: (state != WorkflowState::Running).then(|| at(1_700_000_003)),
            ..Workflow::default()
        };
        let tasks = vec![Task { step: "stop".to_owned(), status: "asking it to end".to_owned(), ..Task::default() }];
        Ok(WatchWorkflowResponse { workflow: Some(workflow), tasks })
    };
    let running = say(WorkflowState::Running, "stop", "");
    match (id, watches) {
        (60, 1) => vec![running, Err(Status::unavailable("the server is restarting"))],
        (60, _) => vec![running, say(WorkflowState::Succeeded, "", "")],
        _ => vec![running, say(WorkflowState::Failed, "", "stop: the engine does not answer")],
    }
}

#[tonic::async_trait]
impl ApplianceService for Fake {
    async fn start_appliance(
        &self,
        request: Request<proto::StartApplianceRequest>,
    ) -> Answer<proto::StartApplianceResponse> {
        let (appliance, workflow_id) = begun(self, request.into_inner().id, "start")?;
        Ok(Response::new(proto::StartApplianceResponse { appliance, workflow_id }))
    }

    async fn stop_appliance(
        &self,
        request: Request<proto::StopApplianceRequest>,
    ) -> Answer<proto::StopApplianceResponse> {
        let (appliance, workflow_id) = begun(self, request.into_inner().id, "stop")?;
        Ok(Response::new(proto::StopApplianceResponse { appliance, workflow_id }))
    }

    async fn suspend_appliance(
        &self,
        request: Request<proto::SuspendApplianceRequest>,
    ) -> Answer<proto::SuspendApplianceResponse> {
        let (appliance, workflow_id) = begun(self, request.into_inner().id, "suspend")?;
        Ok(Response::new(proto::SuspendApplianceResponse { appliance, workflow_id }))
    }

    async fn resume_appliance(
        &self,
        request: Request<proto::ResumeApplianceRequest>,
    ) -> Answer<proto::ResumeApplianceResponse> {
        let (appliance, workflow_id) = begun(self, request.into_inner().id, "resume")?;
        Ok(Response::new(proto::ResumeApplianceResponse { appliance, workflow_id }))
    }

    async fn reboot_appliance(
        &self,
        request: Request<proto::RebootApplianceRequest>,
    ) -> Answer<proto::RebootApplianceResponse> {
        let (appliance, workflow_id) = begun(self, request.into_inner().id, "reboot")?;
        Ok(Response::new(proto::RebootApplianceResponse { appliance, workflow_id }))
    }

    async fn reset_appliance(
        &self,
        request: Request<proto::ResetApplianceRequest>,
    ) -> Answer<proto::ResetApplianceResponse> {
        let (appliance, workflow_id) = begun(self, request.into_inner().id, "reset")?;
        Ok(Response::new(proto::ResetApplianceResponse { appliance, workflow_id }))
    }

    async fn detach_disk(&self, request: Request<proto::DetachDiskRequest>) -> Answer<proto::DetachDiskResponse> {
        let (appliance, workflow_id) = begun(self, request.into_inner().id, "detach disk")?;
        Ok(Response::new(proto::DetachDiskResponse { appliance, workflow_id }))
    }

    async fn rename_appliance(
        &self,
        request: Request<proto::RenameApplianceRequest>,
    ) -> Answer<proto::RenameApplianceResponse> {
        let request = request.into_inner();
        let (appliance, workflow_id) = begun(self, request.id, &format!("rename to {}", request.name))?;
        Ok(Response::new(proto::RenameApplianceResponse { appliance, workflow_id }))
    }

    async fn attach_disk(&self, request: Request<proto::AttachDiskRequest>) -> Answer<proto::AttachDiskResponse> {
        let request = request.into_inner();
        let (appliance, workflow_id) = begun(self, request.id, &format!("attach {}", request.size_mib))?;
        Ok(Response::new(proto::AttachDiskResponse { appliance, workflow_id }))
    }

    async fn kill_appliance(
        &self,
        request: Request<proto::KillApplianceRequest>,
    ) -> Answer<proto::KillApplianceResponse> {
        let id = request.into_inner().id;
        self.asked.lock().unwrap().push(format!("kill {id}"));
        let killing = Appliance { state: ApplianceState::Killing.into(), ..known(id)? };
        Ok(Response::new(proto::KillApplianceResponse { appliance: Some(killing), workflow_id: Some(62) }))
    }

    async fn get_appliance(&self, request: Request<proto::GetApplianceRequest>) -> Answer<proto::GetApplianceResponse> {
        use proto::get_appliance_request::By;
        let found = match request.into_inner().by {
            Some(By::Id(id)) => known(id)?,
            Some(By::Name(name)) => {
                known(name.strip_prefix("sprout-demo-").and_then(|id| id.parse().ok()).unwrap_or(404))?
            }
            Some(By::Address(address)) => known(if address == "192.0.2.7" { 12 } else { 404 })?,
            None => return Err(Status::invalid_argument("an id, a name or an address is needed")),
        };
        Ok(Response::new(proto::GetApplianceResponse { appliance: Some(found) }))
    }

    async fn list_appliances(
        &self,
        request: Request<proto::ListAppliancesRequest>,
    ) -> Answer<proto::ListAppliancesResponse> {
        let request = request.into_inner();
        self.asked.lock().unwrap().push(format!("pool {:?}, warm {}", request.pool_id, request.warm));
        let warm = Appliance { pool_id: None, ..appliance(17, ApplianceState::Preparing, 90) };
        let appliances = if request.warm { vec![warm] } else { vec![known(12)?, known(13)?] };
        Ok(Response::new(proto::ListAppliancesResponse { appliances, next_page_token: String::new() }))
    }

    async fn extend_appliance(
        &self,
        request: Request<proto::ExtendApplianceRequest>,
    ) -> Answer<proto::ExtendApplianceResponse> {
        let request = request.into_inner();
        if request.never_expire {
            return Err(refused(Code::PermissionDenied, "NOT_ALLOWED", "only superusers may let a lease never end"));
        }
        self.asked.lock().unwrap().push(format!("extend {:?}", request.lease.map(|lease| lease.seconds)));
        Ok(Response::new(proto::ExtendApplianceResponse { appliance: Some(known(request.id)?) }))
    }

    async fn describe_appliance(
        &self,
        request: Request<proto::DescribeApplianceRequest>,
    ) -> Answer<proto::DescribeApplianceResponse> {
        let request = request.into_inner();
        let appliance = Some(Appliance { description: request.description, ..known(request.id)? });
        Ok(Response::new(proto::DescribeApplianceResponse { appliance }))
    }

    async fn hold_appliance(
        &self,
        request: Request<proto::HoldApplianceRequest>,
    ) -> Answer<proto::HoldApplianceResponse> {
        let proto::HoldApplianceRequest { id, reason, time } = request.into_inner();
        if id == 16 {
            let says = "a user may hold 5 appliances at a time, and 5 are held already; unhold one first";
            return Err(refused(Code::ResourceExhausted, "HOLD_LIMIT", says));
        }
        self.asked.lock().unwrap().push(format!("hold {id} for {:?}", time.map(|time| time.seconds)));
        let held = Appliance { hold_reason: Some(reason), held_until: Some(at(4_000_100_000)), ..known(id)? };
        Ok(Response::new(proto::HoldApplianceResponse { appliance: Some(held) }))
    }

    async fn unhold_appliance(
        &self,
        request: Request<proto::UnholdApplianceRequest>,
    ) -> Answer<proto::UnholdApplianceResponse> {
        Ok(Response::new(proto::UnholdApplianceResponse { appliance: Some(known(request.into_inner().id)?) }))
    }

    async fn get_console(&self, request: Request<proto::GetConsoleRequest>) -> Answer<proto::GetConsoleResponse> {
        begun(self, request.into_inner().id, "console")?;
        Ok(Response::new(proto::GetConsoleResponse { url: "vnc://192.0.2.1:5901".to_owned() }))
    }

    async fn forget_appliance(
        &self,
        request: Request<proto::ForgetApplianceRequest>,
    ) -> Answer<proto::ForgetApplianceResponse> {
        let id = request.into_inner().id;
        self.asked.lock().unwrap().push(format!("forget {id}"));
        Ok(Response::new(proto::ForgetApplianceResponse { appliance: Some(known(id)?) }))
    }

    type WatchApplianceStream = Stream_<proto::WatchApplianceResponse>;

    async fn watch_appliance(
        &self,
        request: Request<proto::WatchApplianceRequest>,
    ) -> Answer<Self::WatchApplianceStream> {
        let known = known(request.into_inner().id)?;
        let say = |state: ApplianceState, message: &str| {
            let appliance = Some(Appliance { state: state.into(), ..known.clone() });
            Ok(proto::WatchApplianceResponse { appliance, message: message.to_owned() })
        };
        let all = vec![
            say(ApplianceState::Ready, ""),
            say(ApplianceState::Killing, "its lease ended"),
            say(ApplianceState::Gone, "it is gone"),
        ];
        Ok(Response::new(Box::pin(tokio_stream::iter(all))))
    }

    type WatchApplianceLogsStream = Stream_<proto::WatchApplianceLogsResponse>;

    async fn watch_appliance_logs(
        &self,
        request: Request<proto::WatchApplianceLogsRequest>,
    ) -> Answer<Self::WatchApplianceLogsStream> {
        known(request.into_inner().id)?;
        let all =
            ["clone: done", "start: done"].map(|line| Ok(proto::WatchApplianceLogsResponse { line: line.to_owned() }));
        Ok(Response::new(Box::pin(tokio_stream::iter(all))))
    }
}
