//! What staff have done to machines on providers that are no appliances: each order is a workflow of one step on one machine.
//!
//! That it is no appliance's is looked at in the transaction that begins the workflow and again in each that gives its step to a worker, for names are
//! given to appliances before their provider knows of it. The worker touches only what carries the tag that it was seen with.

use std::collections::BTreeMap;

use sprout_domain::{
    ApplianceId, Error, ProviderKey, Reason, Result, WorkflowId,
    event::{EventKind, NewEvent},
    machine::{
        Known, Machine,
        order::{Order, Target},
    },
    user::User,
    workflow::{StepError, StepErrorReason, StepKind, StepOutput, Subject, Task, TaskState, WorkflowKind},
};

use crate::{
    App,
    ports::{Ended, NewWorkflow, TaskChange, Topic, Tx},
    work::{Work, repeated},
    workflow::{end_workflows, find},
};

impl App {
    /// Has something done to the machine of this name, which must be no appliance's. Returns the workflow that does it; the same again, while it is under
    /// way, is that one.
    pub async fn order(
        &self,
        caller: &User,
        provider: &ProviderKey,
        name: &str,
        order: Order,
        confirm_name: &str,
    ) -> Result<WorkflowId> {
        self.catalogue().provider(provider)?;
        repeated(|| self.try_order(caller, provider, name, order, confirm_name)).await
    }

    async fn try_order(
        &self,
        caller: &User,
        provider: &ProviderKey,
        name: &str,
        order: Order,
        confirm_name: &str,
    ) -> Result<WorkflowId> {
        let mut work = self.work().await?;
        let machine = work.tx.machine(provider, name).await?;
        let tag = machine.as_ref().and_then(|machine| machine.appliance_id);
        let named = Target { provider: provider.clone(), name: name.to_owned(), tag };
        Whose::ask(work.tx.as_mut(), provider, &[&named]).await?.free(&named, order)?;
        let Some(machine) = machine else { return Err(unseen(work.tx.as_mut(), &named).await?) };
        let target = Target::of(&machine)?;
        order.allowed(&machine, caller.role)?;
        order.confirmed(&machine, confirm_name)?;
        let workflow = NewWorkflow {
            owner_id: Some(caller.id),
            ..NewWorkflow::new(order.workflow(), Subject::Machine(target.clone()), Some(provider.clone()))
        };
        let begun = work.tx.insert_workflows(vec![workflow]).await?;
        let begun = begun.first().ok_or_else(|| Error::internal("an order that was not inserted"))?;
        if begun.is_new {
            let says = format!("{name} on {provider}: {order}, as {} wants", caller.name);
            let user = Some(caller.name.clone());
            work.emit(NewEvent { user, ..became(&target, begun.id, "ordered", says) });
            work.wake(Topic::Tasks);
        } else {
            let other = find(work.tx.as_mut(), begun.id).await?;
            if other.kind != order.workflow() {
                let says = format!(
                    "{name} on {provider} is busy with another workflow, a {}; wait for it (`sproutctl workflow get {}`)",
                    other.kind, other.id
                );
                return Err(Error::new(Reason::Busy, says).with("workflow_id", other.id.to_string()));
            }
        }
        work.commit().await?;
        Ok(begun.id)
    }
}

/// There is no such machine, as far as is known.
async fn unseen(tx: &mut dyn Tx, Target { provider, name, .. }: &Target) -> Result<Error> {
    let Some(at) = tx.refreshed().await?.get(provider).copied().flatten() else {
        let says = format!(
            "what is on {provider} was never listed, so nobody knows whose {name} is; look at `sproutctl provider get {provider}`, and repeat this after the first listing"
        );
        return Ok(Error::new(Reason::WrongState, says));
    };
    let at = at.format("%F %T UTC");
    let says = format!("there is no {name} on {provider}, as of {at}; see `sproutctl machine list {provider}`");
    Ok(Error::new(Reason::MachineNotFound, says).with("name", name))
}

/// Who is known on one provider by the tags and names of machines.
struct Whose {
    tagged: Vec<Known>,
    named: BTreeMap<String, ApplianceId>,
}

impl Whose {
    async fn ask(tx: &mut dyn Tx, provider: &ProviderKey, targets: &[&Target]) -> Result<Self> {
        let tags: Vec<_> = targets.iter().filter_map(|target| target.tag).collect();
        let names: Vec<_> = targets.iter().map(|target| target.name.clone()).collect();
        Ok(Self { tagged: tx.known(provider, &tags).await?, named: tx.called(provider, &names).await? })
    }

    fn free(&self, target: &Target, order: Order) -> Result<()> {
        let tagged = self.tagged.iter().find(|known| Some(known.id) == target.tag);
        target.free(order, tagged, self.named.get(&target.name).copied())
    }
}

/// The machine that a task is about, and what is done to it.
fn ordered(task: &Task) -> Option<(&Target, Order)> {
    let order = match task.workflow {
        WorkflowKind::StartMachine => Order::Start,
        WorkflowKind::StopMachine => Order::Stop,
        WorkflowKind::DeleteMachine => Order::Delete,
        _ => return None,
    };
    match &task.subject {
        Subject::Machine(target) => Some((target, order)),
        _ => None,
    }
}

/// Ends those of these tasks, which are about to be given out, whose machines have become appliances since; returns the others.
pub(crate) async fn still_free(work: &mut Work, tasks: Vec<Task>) -> Result<Vec<Task>> {
    let mut by_provider = BTreeMap::<ProviderKey, Vec<&Target>>::new();
    for (target, _) in tasks.iter().filter_map(ordered) {
        by_provider.entry(target.provider.clone()).or_default().push(target);
    }
    if by_provider.is_empty() {
        return Ok(tasks);
    }
    let mut whose = BTreeMap::new();
    for (provider, targets) in &by_provider {
        whose.insert(provider.clone(), Whose::ask(work.tx.as_mut(), provider, targets).await?);
    }
    let (mut free, mut refused) = (Vec::with_capacity(tasks.len()), Vec::new());
    for task in tasks {
        let answer = ordered(&task).and_then(|(target, order)| Some(whose.get(&target.provider)?.free(target, order)));
        match answer {
            None | Some(Ok(())) => free.push(task),
            Some(Err(error)) => refused.push((task, error.message)),
        }
    }
    for (task, why) in refused {
        // Few ever are.
        work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Failed).with_error(&why)).await?;
        end_workflows(work, &[Ended::failed(task.workflow_id, &why)]).await?;
        failed(work, &task, &why);
    }
    Ok(free)
}

/// What a step on a machine came to: an error that it told as its output is one.
pub(crate) fn judged(task: &Task, outcome: Result<StepOutput, StepError>) -> Result<StepOutput, StepError> {
    let Some((target, order)) = ordered(task) else { return outcome };
    let wrong = |message: String| Err(StepError { reason: StepErrorReason::ProviderError, message });
    match (task.step, outcome) {
        // What is absent is off, and deleted.
        (_, Err(error)) if error.reason == StepErrorReason::ApplianceNotFound && order != Order::Start => {
            Ok(StepOutput::Empty)
        }
        (StepKind::DeleteMachine, Ok(StepOutput::Deleted(outcomes))) => {
            match outcomes.into_iter().find(|(name, _)| *name == target.name) {
                Some((_, None)) => Ok(StepOutput::Empty),
                Some((_, Some(why))) => wrong(why),
                None => wrong("the worker did not say what became of it".to_owned()),
            }
        }
        (StepKind::DeleteMachine, Ok(_)) => wrong("the worker answered something else".to_owned()),
        (_, outcome) => outcome,
    }
}

/// Writes down what was done.
pub(crate) async fn succeeded(work: &mut Work, task: &Task, output: StepOutput) -> Result<()> {
    let Some((target, order)) = ordered(task) else { return Ok(()) };
    let Target { provider, name, .. } = target;
    let (state, says) = match (order, &output) {
        (Order::Delete, _) => ("gone", "is gone"),
        (Order::Stop, StepOutput::Empty) => ("gone", "is not there any more"),
        (Order::Stop, _) => ("off", "is off"),
        (Order::Start, _) => ("on", "is on"),
    };
    if state == "gone" {
        work.tx.put_machines(provider, &[], std::slice::from_ref(name)).await?;
    } else if let StepOutput::Observed { power, .. } = output
        && let Some(machine) = work.tx.machine(provider, name).await?
    {
        work.tx.put_machines(provider, &[Machine { power, ..machine }], &[]).await?;
    }
    work.emit(became(target, task.workflow_id, state, format!("{name} on {provider} {says}")));
    Ok(())
}

/// Tells that it was not done.
pub(crate) fn failed(work: &mut Work, task: &Task, why: &str) {
    if let Some((target, order)) = ordered(task) {
        let says = format!("{order} of {} on {} failed: {why}", target.name, target.provider);
        work.emit(became(target, task.workflow_id, "failed", says));
    }
}

fn became(target: &Target, workflow: WorkflowId, state: &str, says: String) -> NewEvent {
    NewEvent {
        provider: Some(target.provider.clone()),
        workflow_id: Some(workflow),
        state: Some(state.to_owned()),
        ..NewEvent::new(EventKind::Leak, says)
    }
}
