//! Following one workflow to its end.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use sprout_domain::{
    Result, WorkflowId,
    user::{Role, User},
    workflow::{Subject, Task, Workflow},
};
use tokio::time::timeout;

use crate::{
    App,
    appliance::visible,
    event::EventStream,
    ports::{ApplianceBy, EventFilter},
    workflow::{find, missing},
};

/// It is looked at this often without an event: what a step says while it runs is none, nor is the end of a part.
const SWEEP: Duration = Duration::from_secs(1);

/// A workflow with its tasks, each time something of it changed.
pub type WorkflowStream = Pin<Box<dyn Stream<Item = Result<(Workflow, Vec<Task>)>> + Send>>;

type Now = (Workflow, Vec<Task>);

/// Between two looks.
struct Watch {
    app: Arc<App>,
    id: WorkflowId,
    events: Option<EventStream>,
    last: Now,
    ended: bool,
}

impl App {
    /// The workflow now, and each time it changed, until it ended. Staff follow all; others those on appliances of their own.
    pub async fn watch_workflow(self: &Arc<Self>, caller: &User, id: WorkflowId) -> Result<WorkflowStream> {
        let subject = self.followed(caller, id).await?;
        // Listening starts before the first look, so that no change falls between the two.
        let events = match subject {
            Subject::Appliance(appliance) => {
                let filter = EventFilter { appliance_id: Some(appliance), ..EventFilter::default() };
                Some(self.events(caller, filter, None).await?)
            }
            Subject::Provider(_) | Subject::Template(_) | Subject::Machine(_) | Subject::Nothing => None,
        };
        let first = self.workflow(id).await?;
        let ended = first.0.state.is_final();
        let watch = Watch { app: self.clone(), id, events, last: first.clone(), ended };
        let later = stream::unfold(watch, |mut watch| async { Some((watch.next().await?, watch)) });
        Ok(stream::once(async move { Ok(first) }).chain(later).boxed())
    }

    /// What it is about, if the caller may follow it; what may not be seen does not exist.
    async fn followed(&self, caller: &User, id: WorkflowId) -> Result<Subject> {
        let mut tx = self.ports.store.read().await?;
        let workflow = find(tx.as_mut(), id).await?;
        if caller.role >= Role::Staff {
            return Ok(workflow.subject);
        }
        let Subject::Appliance(appliance) = workflow.subject else { return Err(missing(id)) };
        visible(tx.as_mut(), caller, &ApplianceBy::Id(appliance)).await.map_err(|_| missing(id))?;
        Ok(workflow.subject)
    }
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Now>> {
        while !self.ended {
            if let Err(error) = self.wait().await {
                self.ended = true;
                return Some(Err(error));
            }
            match self.app.workflow(self.id).await {
                Ok(now) if now == self.last => {}
                Ok(now) => {
                    self.ended = now.0.state.is_final();
                    self.last = now.clone();
                    return Some(Ok(now));
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// Until something may have changed.
    async fn wait(&mut self) -> Result<()> {
        if let Some(events) = &mut self.events {
            match timeout(SWEEP, events.next_many()).await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) | Err(_) => Ok(()),
            }
        } else {
            tokio::time::sleep(SWEEP).await;
            Ok(())
        }
    }
}
