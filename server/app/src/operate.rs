//! Operations on appliances: power, name, disk, deploying anew. Each begins in one transaction, and workers do the rest.

use sprout_domain::{
    ApplianceId, Error, Reason, Result, WorkflowId,
    appliance::{Appliance, ApplianceState},
    event::{EventKind, NewEvent},
    operation::{Begin, Operation},
    template::TemplateState,
    user::User,
    workflow::{Subject, Workflow, WorkflowKind},
};

use crate::{
    App,
    appliance::visible,
    finish::operation::{cancelled, tell},
    ports::{ApplianceBy, Ended, LiveWorkflow, NewWorkflow, Topic},
    work::{Work, repeated},
    workflow::end_workflows,
};

impl App {
    /// Begins an operation on an appliance of the caller's. Returns the appliance as it is then, and the workflow that does it; none: it is so already. The same
    /// operation again, while it is under way, is that one.
    pub async fn operate(
        &self,
        caller: &User,
        id: ApplianceId,
        operation: Operation,
    ) -> Result<(Appliance, Option<WorkflowId>)> {
        operation.check()?;
        repeated(|| self.try_operate(caller, id, &operation)).await
    }

    async fn try_operate(
        &self,
        caller: &User,
        id: ApplianceId,
        operation: &Operation,
    ) -> Result<(Appliance, Option<WorkflowId>)> {
        let mut work = self.work().await?;
        let begun = self.begin_operation(&mut work, caller, id, operation).await;
        match begun {
            Ok(begun) => work.commit().await.map(|()| begun),
            Err(error) => {
                // A transaction that is merely dropped keeps its locks for a moment, and whoever looks for tasks then passes these.
                if !matches!(error.reason, Reason::Conflict | Reason::DatabaseUnavailable | Reason::Internal) {
                    work.tx.commit().await?;
                }
                Err(error)
            }
        }
    }

    /// Whatever is refused is refused before anything is written.
    async fn begin_operation(
        &self,
        work: &mut Work,
        caller: &User,
        id: ApplianceId,
        operation: &Operation,
    ) -> Result<(Appliance, Option<WorkflowId>)> {
        let live = work.tx.live_workflows(&[Subject::Appliance(id)]).await?;
        work.tx.lock_appliances(&[id]).await?;
        let appliance = visible(work.tx.as_mut(), caller, &ApplianceBy::Id(id)).await?;
        if let Some(workflow) = under_way(&live, operation, &appliance)? {
            return Ok((appliance, Some(workflow)));
        }
        let Begin::In(state) = operation.begin(&appliance)? else { return Ok((appliance, None)) };
        self.catalogue().provider(&appliance.provider)?;
        operation.possible(&appliance, &work.tx.capabilities(&appliance.provider).await?)?;
        let begun = Self::prepare(work, &appliance, operation, state).await?;
        let workflow = begin(work, caller, &begun, operation).await?;
        tell_begun(work, caller, workflow, &begun, operation);
        Ok((begun, Some(workflow)))
    }

    /// Writes down what is wanted of the appliance, which its steps are derived from.
    async fn prepare(
        work: &mut Work,
        appliance: &Appliance,
        operation: &Operation,
        state: ApplianceState,
    ) -> Result<Appliance> {
        let mut begun = Appliance { state, status: format!("to {operation}"), ..appliance.clone() };
        match operation {
            Operation::Rename(name) => {
                if !work.tx.reserve_name(appliance, name).await? {
                    return Err(taken(appliance, name));
                }
                begun.new_name = Some(name.clone());
            }
            Operation::AttachDisk(size) => begun.wanted_disk_mib = Some(*size),
            Operation::Reset => has_template(work, appliance).await?,
            _ => {}
        }
        work.tx.set_operated(&begun).await?;
        Ok(begun)
    }

    /// Where the appliance's screen can be seen.
    pub async fn console(&self, caller: &User, id: ApplianceId) -> Result<String> {
        let mut tx = self.ports.store.read().await?;
        let appliance = visible(tx.as_mut(), caller, &ApplianceBy::Id(id)).await?;
        let Appliance { name, state, provider, .. } = &appliance;
        match &appliance.console_url {
            Some(url) => Ok(url.clone()),
            None if *state != ApplianceState::Ready => {
                let advice = match state {
                    ApplianceState::Killing | ApplianceState::Gone => "request a new one",
                    ApplianceState::Failed | ApplianceState::Orphaned => "kill it and request a new one",
                    _ => "start it, or wait until it is",
                };
                let says = format!("{name} is {state}, and has a screen only while it is ready; {advice}");
                Err(Error::new(Reason::WrongState, says).with("state", state.as_str()))
            }
            None => {
                let says = format!("provider {provider} shows no screens; use the endpoints of {name} instead");
                Err(Error::new(Reason::Unsupported, says).with("provider", &*provider.0))
            }
        }
    }
}

/// The workflow that does this already, if there is one.
fn under_way(live: &[LiveWorkflow], operation: &Operation, appliance: &Appliance) -> Result<Option<WorkflowId>> {
    let Some(other) = live.iter().find(|w| !w.kind.is_deployment() && w.kind != WorkflowKind::Kill) else {
        return Ok(None); // its state says what else there is
    };
    let same = other.kind == operation.workflow()
        && match operation {
            Operation::Rename(name) => appliance.new_name.as_ref() == Some(name),
            Operation::AttachDisk(size) => appliance.wanted_disk_mib == Some(*size),
            _ => true,
        };
    if same {
        return Ok(Some(other.id));
    }
    let says = format!(
        "{} is busy with another workflow, a {}; wait for it (`sproutctl workflow get {}`), or kill the appliance",
        appliance.name, other.kind, other.id
    );
    Err(Error::new(Reason::Busy, says).with("workflow_id", other.id.to_string()))
}

fn taken(appliance: &Appliance, name: &str) -> Error {
    let says = format!(
        "another appliance on provider {} is, or will be, called {name}; choose another name",
        appliance.provider
    );
    Error::new(Reason::NameTaken, says).with("name", name)
}

/// What is deleted must be possible to make anew.
async fn has_template(work: &mut Work, appliance: &Appliance) -> Result<()> {
    // Also one that is used for no others: it is there as long as this appliance is.
    let template = work.tx.template(appliance.template_id).await?;
    if template.is_some_and(|template| template.state != TemplateState::Gone) {
        return Ok(());
    }
    let Appliance { name, template, provider, .. } = appliance;
    let says = format!(
        "{name} cannot be made anew, because its template {template} is gone from provider {provider}; request another appliance"
    );
    Err(Error::new(Reason::NoTemplate, says))
}

/// Inserts the workflow.
async fn begin(work: &mut Work, caller: &User, appliance: &Appliance, operation: &Operation) -> Result<WorkflowId> {
    let subject = Subject::Appliance(appliance.id);
    // A step of a workflow that was ended may be with a worker still.
    let busy = work.tx.busy_appliances(&[appliance.id]).await?;
    let workflow = NewWorkflow {
        owner_id: Some(caller.id),
        wait: !busy.is_empty(),
        ..NewWorkflow::new(operation.workflow(), subject, Some(appliance.provider.clone()))
    };
    let begun = work.tx.insert_workflows(vec![workflow]).await?;
    work.wake(Topic::Tasks);
    if appliance.pool_id.is_none() {
        work.wake(Topic::Warm);
    }
    begun.first().map(|begun| begun.id).ok_or_else(|| Error::internal("an operation that was not inserted"))
}

fn tell_begun(work: &mut Work, caller: &User, workflow: WorkflowId, appliance: &Appliance, operation: &Operation) {
    let what = match operation {
        Operation::Rename(name) => format!("rename to {name}"),
        Operation::AttachDisk(size) => format!("attach a disk of {size} MiB"),
        Operation::DetachDisk => "detach its disk".to_owned(),
        other => other.to_string(),
    };
    let changed = !matches!(operation, Operation::Rename(_) | Operation::AttachDisk(_) | Operation::DetachDisk);
    let kind = if changed { EventKind::ApplianceState } else { EventKind::ApplianceChanged };
    work.emit(NewEvent {
        pool_id: appliance.pool_id,
        appliance_id: Some(appliance.id),
        provider: Some(appliance.provider.clone()),
        workflow_id: Some(workflow),
        user: Some(caller.name.clone()),
        state: Some(appliance.state.as_str().to_owned()),
        ..NewEvent::new(kind, format!("{}: {what}, as {} wants", appliance.name, caller.name))
    });
}

/// Ends operations (their tasks are locked) by request. Their appliances stay, as they were seen last.
pub(crate) async fn cancel(work: &mut Work, operations: &[(Workflow, ApplianceId)]) -> Result<()> {
    if operations.is_empty() {
        return Ok(());
    }
    let appliances: Vec<_> = operations.iter().map(|(_, appliance)| *appliance).collect();
    let locked = work.tx.lock_appliances(&appliances).await?;
    let ids: Vec<_> = operations.iter().map(|(workflow, _)| workflow.id).collect();
    for (workflow, id) in operations {
        let Some(appliance) = locked.iter().find(|appliance| appliance.id == *id) else { continue };
        // There is one at a time for each appliance, and few are cancelled at once.
        let begun = work.tx.tasks_of_workflow(workflow.id).await?.iter().any(|task| task.epoch > 0);
        let after = cancelled(workflow.kind, appliance, begun);
        work.tx.set_operated(&after).await?;
        tell(work, workflow.id, appliance, &after);
    }
    work.tx.cancel_tasks(&ids).await?;
    work.wake(Topic::Cancels);
    end_workflows(work, &ids.into_iter().map(Ended::cancelled).collect::<Vec<_>>()).await
}
