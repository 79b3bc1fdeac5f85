//! Workflows as such: parents with their parts, how they end, looking at them, cancelling and pruning them.

use std::time::Duration;

use sprout_domain::{
    Error, ProviderKey, Reason, Result, WorkflowId,
    event::{EventKind, NewEvent},
    workflow::{Subject, Task, TaskState, Workflow, WorkflowKind, WorkflowState},
};

use crate::{
    App,
    kill::kill_appliances,
    operate,
    ports::{Ended, NewWorkflow, Page, Topic, Tx, WorkflowFilter, WorkflowsToLock},
    work::{Work, repeated},
};

/// Pings of one request.
const MAX_PINGS: u32 = 100_000;
/// Parts that are cancelled in one transaction.
const CANCELLED_AT_ONCE: u64 = 1_000;

impl App {
    /// A page of workflows.
    pub async fn workflows(&self, filter: &WorkflowFilter, page: Page) -> Result<Vec<Workflow>> {
        self.ports.store.read().await?.workflows(filter, page).await
    }

    /// One workflow with its tasks, in order.
    pub async fn workflow(&self, id: WorkflowId) -> Result<(Workflow, Vec<Task>)> {
        let mut tx = self.ports.store.read().await?;
        let workflow = find(tx.as_mut(), id).await?;
        let mut tasks = tx.tasks_of_workflow(id).await?;
        self.tell_tasks(tx.as_mut(), &mut tasks).await?;
        Ok((workflow, tasks))
    }

    /// Begins pings to workers of this provider's type; returns their parent.
    pub async fn ping(&self, provider: &ProviderKey, count: u32) -> Result<Workflow> {
        self.catalogue().provider(provider)?;
        if !(1..=MAX_PINGS).contains(&count) {
            return Err(Error::invalid("count", format!("between 1 and {MAX_PINGS} pings can be asked for at once")));
        }
        repeated(|| async move {
            let mut work = self.work().await?;
            let ping = NewWorkflow::new(WorkflowKind::Ping, Subject::Nothing, Some(provider.clone()));
            let parent = work.tx.insert_parent_of(WorkflowKind::Pings, &ping, count).await?;
            work.wake(Topic::Tasks);
            work.commit().await?;
            Ok(parent)
        })
        .await
    }

    /// Ends a workflow, and its parts with it. A deployment's appliance is killed, as if someone had asked for that. One that has ended stays as it
    /// is; a kill must run to its end.
    pub async fn cancel_workflow(&self, id: WorkflowId) -> Result<Workflow> {
        // A parent ends first, so that it does not count its cancelled parts as failed. If that is as far as we get, whoever cancels it again goes on.
        let kind = repeated(|| self.cancel_one(id)).await?;
        while kind.is_parent() && repeated(|| self.cancel_parts(id)).await? {}
        Ok(self.workflow(id).await?.0)
    }

    async fn cancel_one(&self, id: WorkflowId) -> Result<WorkflowKind> {
        let mut work = self.work().await?;
        let found = find(work.tx.as_mut(), id).await?;
        if !found.kind.is_cancellable() && !found.state.is_final() {
            let message = format!(
                "workflow {id} is a {}, which must run to its end so that nothing is left behind; wait for it",
                found.kind
            );
            return Err(Error::new(Reason::WorkflowNotCancellable, message));
        }
        let live = work.tx.lock_workflows(&WorkflowsToLock::One(id), 1).await?;
        let is_at_it = |task: &Task| task.state == TaskState::Running;
        if found.kind.is_of_machine() && work.tx.tasks_of_workflow(id).await?.iter().any(is_at_it) {
            // Another could begin while the worker has not stopped yet.
            let message = format!("a worker is at workflow {id}, and may have done it already; wait for it");
            return Err(Error::new(Reason::WorkflowNotCancellable, message));
        }
        cancel(&mut work, live).await?;
        work.commit().await?;
        Ok(found.kind)
    }

    /// Cancels some of its parts; returns whether there may be more.
    async fn cancel_parts(&self, id: WorkflowId) -> Result<bool> {
        let mut work = self.work().await?;
        let mut parts = work.tx.lock_workflows(&WorkflowsToLock::PartsOf(id), CANCELLED_AT_ONCE).await?;
        parts.retain(|part| part.kind.is_cancellable());
        let more = !parts.is_empty();
        cancel(&mut work, parts).await?;
        work.commit().await?;
        Ok(more)
    }

    /// Deletes up to `batch` workflows that ended longer than `keep` ago, with their tasks. What they did stays: appliances, events. Returns how
    /// many; with less than a batch, there are no more.
    pub async fn prune(&self, keep: Duration, batch: u64) -> Result<u64> {
        repeated(|| async move {
            let mut work = self.work().await?;
            let pruned = work.tx.prune_workflows(keep, batch).await?;
            work.commit().await?;
            Ok(pruned)
        })
        .await
    }
}

/// The workflow.
pub(crate) async fn find(tx: &mut dyn Tx, id: WorkflowId) -> Result<Workflow> {
    tx.workflow(id).await?.ok_or_else(|| missing(id))
}

/// There is none of this id, or none that the caller may see.
pub(crate) fn missing(id: WorkflowId) -> Error {
    let message = format!("there is no workflow {id}; those that ended are deleted after some days");
    Error::new(Reason::WorkflowNotFound, message)
}

/// Ends workflows, in whatever way, and the parents that nothing is left of then. Every end of a workflow is one of these. Those that have ended
/// stay as they are. Their tasks are the caller's, who has locked them.
pub(crate) async fn end_workflows(work: &mut Work, ended: &[Ended]) -> Result<()> {
    for parent in work.tx.end_workflows(ended).await? {
        emit_ended(work, &parent);
    }
    Ok(())
}

/// Begins a parent with these parts, and adopts those that are under way already. Where the parent is under way itself, that one counts, as it is.
/// One without any part ends at once.
pub(crate) async fn begin_parent(work: &mut Work, parent: NewWorkflow, parts: Vec<NewWorkflow>) -> Result<Workflow> {
    let begun = work.tx.insert_workflows(vec![parent]).await?;
    let Some(begun) = begun.first() else { return Err(Error::internal("a parent that was not inserted")) };
    let id = begun.id;
    if begun.is_new {
        let parts = parts.into_iter().map(|part| NewWorkflow { parent_id: Some(id), ..part }).collect();
        let parts = work.tx.insert_workflows(parts).await?;
        let others: Vec<_> = parts.iter().filter(|part| !part.is_new).map(|part| part.id).collect();
        if work.tx.gather_parts(id, &others).await? == 0 {
            end_workflows(work, &[Ended::succeeded(id)]).await?;
            let parent = find(work.tx.as_mut(), id).await?;
            emit_ended(work, &parent);
            return Ok(parent);
        }
        work.wake(Topic::Tasks);
    }
    find(work.tx.as_mut(), id).await
}

/// Cancels workflows whose tasks are locked.
async fn cancel(work: &mut Work, workflows: Vec<Workflow>) -> Result<()> {
    let mut appliances = Vec::new();
    let mut ids = Vec::new();
    let mut operations = Vec::new();
    for workflow in &workflows {
        match workflow.subject {
            Subject::Appliance(id) if workflow.kind.is_operation() => operations.push((workflow.clone(), id)),
            Subject::Appliance(id) => appliances.push(id),
            Subject::Provider(_) | Subject::Template(_) | Subject::Machine(_) | Subject::Nothing => {
                ids.push(workflow.id);
            }
        }
    }
    kill_appliances(work, &appliances, "its deployment was cancelled").await?;
    operate::cancel(work, &operations).await?;
    if ids.is_empty() {
        return Ok(());
    }
    work.tx.cancel_tasks(&ids).await?;
    work.wake(Topic::Cancels);
    end_workflows(work, &ids.into_iter().map(Ended::cancelled).collect::<Vec<_>>()).await?;
    for parent in workflows.into_iter().filter(|workflow| workflow.kind.is_parent()) {
        emit_ended(work, &Workflow { state: WorkflowState::Cancelled, ..parent });
    }
    Ok(())
}

fn emit_ended(work: &mut Work, parent: &Workflow) {
    if parent.kind == WorkflowKind::Refreshes {
        return; // so often that the job's history is enough
    }
    let Workflow { id, kind, state, child_count, error, .. } = parent;
    let why = if error.is_empty() { String::new() } else { format!(": {error}") };
    work.emit(NewEvent {
        workflow_id: Some(*id),
        state: Some(state.as_str().to_owned()),
        ..NewEvent::new(EventKind::WorkflowEnded, format!("{kind} of {child_count} {state}{why}"))
    });
}
