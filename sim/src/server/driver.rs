//! `sprout.provider.v1.DriverService`, as the simulator serves it.

use std::sync::Arc;

use sprout_proto::provider::{self as pb, driver_service_server::DriverService};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    convert::{self, instance, port, refused, tags},
    cut::Cut,
    keeper::Keeper,
};
use crate::core::{Call, Fate, Reply, Struck, View};

/// The version of the protocol spoken here.
const PROTOCOL: u32 = 1;
/// Instances in one message.
const PAGE: usize = 500;
/// Messages that are made ahead of a slow reader.
const AHEAD: usize = 2;

type Answer<T> = Result<Response<T>, Status>;
type Pages = ReceiverStream<Result<pb::ListInstancesResponse, Status>>;

pub(super) struct Driver {
    keeper: Arc<Keeper>,
}

impl Driver {
    pub(super) fn new(keeper: Arc<Keeper>) -> Self {
        Self { keeper }
    }

    /// Carries a call out, whether or not its caller waits for it.
    async fn perform<T>(&self, request: &Request<T>, call: Call) -> Result<Reply, Status> {
        let cut = request.extensions().get::<Cut>().cloned();
        let keeper = Arc::clone(&self.keeper);
        let (mut answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let outcome = match keeper.perform(&call).await {
                Ok(outcome) => outcome,
                Err(status) => return drop(answer.send(Err(status))),
            };
            match (outcome.fate, cut) {
                // Whether anybody still waits does not matter.
                (Fate::Answered, _) => drop(answer.send(outcome.answer.map_err(refused))),
                (Fate::Cut, Some(cut)) => cut.now(),
                (Fate::Cut, None) | (Fate::Never, _) => answer.closed().await,
            }
        });
        answered.await.unwrap_or_else(|_| Err(Status::unavailable("the connection was cut")))
    }

    /// A call with an empty answer.
    async fn done<T, A: Default>(&self, request: &Request<T>, call: Call) -> Answer<A> {
        self.perform(request, call).await.map(|_| Response::new(A::default()))
    }
}

#[tonic::async_trait]
impl DriverService for Driver {
    async fn get_info(&self, _: Request<pb::GetInfoRequest>) -> Answer<pb::GetInfoResponse> {
        let capabilities = self.keeper.with(|sim, _| convert::capabilities(sim.config()))?;
        Ok(Response::new(pb::GetInfoResponse {
            protocol_version: PROTOCOL,
            kind: "Sprout simulator".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: Some(capabilities),
        }))
    }

    async fn check(&self, request: Request<pb::CheckRequest>) -> Answer<pb::CheckResponse> {
        self.perform(&request, Call::Check).await?;
        let capacity = self.keeper.with(|sim, _| sim.config().capacity.clone())?;
        Ok(Response::new(pb::CheckResponse { memory_mib: capacity.memory_mib, cpus: capacity.cpus }))
    }

    async fn list_templates(&self, request: Request<pb::ListTemplatesRequest>) -> Answer<pb::ListTemplatesResponse> {
        match self.perform(&request, Call::ListTemplates).await? {
            Reply::Templates(templates) => Ok(Response::new(pb::ListTemplatesResponse { templates })),
            other => Err(unexpected(&other)),
        }
    }

    type ListInstancesStream = Pages;

    async fn list_instances(&self, request: Request<pb::ListInstancesRequest>) -> Answer<Pages> {
        let first = match self.perform(&request, Call::List { after: 0, limit: PAGE }).await? {
            Reply::Instances(views) => views,
            other => return Err(unexpected(&other)),
        };
        let (pages, stream) = mpsc::channel(AHEAD);
        tokio::spawn(send_pages(Arc::clone(&self.keeper), first, pages));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn find_instance(&self, request: Request<pb::FindInstanceRequest>) -> Answer<pb::FindInstanceResponse> {
        let name = request.get_ref().name.clone();
        match self.perform(&request, Call::Find { name }).await? {
            Reply::Instance(view) => Ok(Response::new(pb::FindInstanceResponse { instance: view.map(instance) })),
            other => Err(unexpected(&other)),
        }
    }

    async fn create_instance(&self, request: Request<pb::CreateInstanceRequest>) -> Answer<pb::CreateInstanceResponse> {
        let r = request.get_ref().clone();
        let ports = r.endpoints.iter().map(|endpoint| port(endpoint.port)).collect::<Result<_, _>>()?;
        let (memory_mib, cpus, tags) = (r.memory_mib, r.cpus, tags(r.tags));
        let call = Call::Create { template: r.template, name: r.name, tags, memory_mib, cpus, ports };
        self.done(&request, call).await
    }

    async fn start_instance(&self, request: Request<pb::StartInstanceRequest>) -> Answer<pb::StartInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Start { name: r.name }).await
    }

    async fn stop_instance(&self, request: Request<pb::StopInstanceRequest>) -> Answer<pb::StopInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Stop { name: r.name }).await
    }

    async fn reboot_instance(&self, request: Request<pb::RebootInstanceRequest>) -> Answer<pb::RebootInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Reboot { name: r.name }).await
    }

    async fn suspend_instance(
        &self,
        request: Request<pb::SuspendInstanceRequest>,
    ) -> Answer<pb::SuspendInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Suspend { name: r.name }).await
    }

    async fn resume_instance(&self, request: Request<pb::ResumeInstanceRequest>) -> Answer<pb::ResumeInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Resume { name: r.name }).await
    }

    async fn tag_instance(&self, request: Request<pb::TagInstanceRequest>) -> Answer<pb::TagInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Tag { name: r.name, tags: tags(r.tags) }).await
    }

    async fn rename_instance(&self, request: Request<pb::RenameInstanceRequest>) -> Answer<pb::RenameInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Rename { name: r.name, new_name: r.new_name }).await
    }

    async fn resize_instance(&self, request: Request<pb::ResizeInstanceRequest>) -> Answer<pb::ResizeInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Resize { name: r.name, memory_mib: r.memory_mib, cpus: r.cpus }).await
    }

    async fn snapshot_instance(
        &self,
        request: Request<pb::SnapshotInstanceRequest>,
    ) -> Answer<pb::SnapshotInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Snapshot { name: r.name, snapshot: r.snapshot }).await
    }

    async fn reset_instance(&self, request: Request<pb::ResetInstanceRequest>) -> Answer<pb::ResetInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Reset { name: r.name, snapshot: r.snapshot }).await
    }

    async fn attach_disk(&self, request: Request<pb::AttachDiskRequest>) -> Answer<pb::AttachDiskResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::AttachDisk { name: r.name, size_mib: r.size_mib }).await
    }

    async fn detach_disk(&self, request: Request<pb::DetachDiskRequest>) -> Answer<pb::DetachDiskResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::DetachDisk { name: r.name }).await
    }

    async fn make_template(&self, request: Request<pb::MakeTemplateRequest>) -> Answer<pb::MakeTemplateResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::MakeTemplate { name: r.name, template: r.template }).await
    }

    async fn delete_template(&self, request: Request<pb::DeleteTemplateRequest>) -> Answer<pb::DeleteTemplateResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::DeleteTemplate { template: r.template }).await
    }

    async fn delete_instance(&self, request: Request<pb::DeleteInstanceRequest>) -> Answer<pb::DeleteInstanceResponse> {
        let r = request.get_ref().clone();
        self.done(&request, Call::Delete { name: r.name, tags: r.tags.map(|theirs| tags(Some(theirs))) }).await
    }
}

/// All instances, page by page: each page is what is there then. Ends early if the reader leaves.
async fn send_pages(
    keeper: Arc<Keeper>,
    mut views: Vec<View>,
    pages: mpsc::Sender<Result<pb::ListInstancesResponse, Status>>,
) {
    loop {
        let next = (views.len() == PAGE).then(|| views.last().map(|view| view.id)).flatten();
        let instances = views.into_iter().map(instance).collect();
        if pages.send(Ok(pb::ListInstancesResponse { instances })).await.is_err() {
            return;
        }
        let Some(after) = next else { return };
        let call = Call::List { after, limit: PAGE };
        let page = keeper.with(|sim, now| sim.act(now, &call, Struck::default()).answer);
        views = match page.map(|answer| answer.map_err(refused)) {
            Ok(Ok(Reply::Instances(views))) => views,
            Ok(Ok(other)) => return drop(pages.send(Err(unexpected(&other))).await),
            Ok(Err(status)) | Err(status) => return drop(pages.send(Err(status)).await),
        };
    }
}

fn unexpected(reply: &Reply) -> Status {
    Status::internal(format!("the simulator answered with something else: {reply:?}"))
}
