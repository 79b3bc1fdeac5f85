//! The workflow engine: giving tasks to workers, and advancing workflows by what comes back.
//!
//! Advancing is one transaction: the step ends, its effects on the subject, the next step is ready, events. A result counts only if
//! it comes from the assignment that is current (task, epoch, worker); anything else is refused and changes nothing, so a result
//! may be sent any number of times.

use std::{collections::BTreeSet, time::Duration};

use rand::Rng as _;
use sprout_domain::{
    ApplianceId, Error, Result, TaskId, WorkerId,
    appliance::{Appliance, ApplianceEvent, ApplianceState, PowerState},
    event::{EventKind, NewEvent},
    group::{EndpointSpec, Probe},
    pool::{Pool, PoolEvent, PoolState, failures_tolerated},
    provider::ProviderSpec,
    template::Template,
    workflow::{
        AfterFailure, StepError, StepErrorReason, StepKind, StepOutput, Subject, Task, TaskState, WorkflowKind,
        WorkflowState, after_failure,
    },
};

use crate::{
    App,
    appliance::{For, deploy},
    kill::{kill_appliances, settle_pools},
    pool::{advance_pool, place},
    ports::{ApplianceBy, ApplianceChange, Claim, PoolChange, TaskChange, TemplateFilter, Topic},
    provider::provider_failed,
    work::Work,
    worker::unblock,
};

/// One assignment of one task; anything with an older epoch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The task.
    pub id: TaskId,
    /// The fencing epoch.
    pub epoch: i64,
}

/// A task given to a worker, with all it needs.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The task, running.
    pub task: Task,
    /// Where it works.
    pub provider: ProviderSpec,
    /// One try must end within this time.
    pub deadline: Duration,
    /// What it is about; none for checks of providers.
    pub appliance: Option<Appliance>,
    /// Services the appliance's group offers.
    pub endpoints: Vec<EndpointSpec>,
    /// What the appliance must pass to be ready.
    pub probes: Vec<Probe>,
    /// For our tags.
    pub installation_id: String,
}

/// How a step ended.
pub type Outcome = Result<StepOutput, StepError>;

impl TaskChange {
    /// To this state, now.
    pub(crate) fn to(state: TaskState) -> Self {
        Self { state, due_in: Duration::ZERO, error: String::new(), uncount_attempt: false }
    }

    /// The try does not count.
    pub(crate) fn uncounted(self) -> Self {
        Self { uncount_attempt: true, ..self }
    }

    fn with_error(self, error: &str) -> Self {
        Self { error: error.to_owned(), ..self }
    }
}

impl App {
    /// Gives up to `limit` tasks that this worker can run to it; none if `session` is no longer its session, through which it would never
    /// hear of them.
    pub async fn claim_tasks(
        &self,
        worker: &WorkerId,
        session: &str,
        drivers: &[String],
        limit: u64,
    ) -> Result<Vec<Assignment>> {
        let catalogue = self.catalogue();
        let serves = |spec: &&ProviderSpec| drivers.iter().any(|driver| driver == spec.settings.driver());
        let providers: Vec<_> = catalogue.providers.values().filter(serves).map(|spec| spec.key.clone()).collect();
        if providers.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut work = self.work().await?;
        if !work.tx.hold_session(worker, session).await? {
            return Ok(Vec::new());
        }
        let tasks = work.tx.claim_tasks(&Claim { worker: worker.clone(), providers, limit }).await?;
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let workflows: BTreeSet<_> = tasks.iter().map(|task| task.workflow_id).collect();
        work.tx.set_workflows(&workflows.into_iter().collect::<Vec<_>>(), WorkflowState::Running, "").await?;
        let ids: Vec<_> = tasks.iter().filter_map(appliance_of).collect();
        let mut appliances = work.tx.appliances_by_id(&ids).await?;
        begin_clones(&mut work, &tasks, &mut appliances).await?;
        for task in &tasks {
            let message = format!("{} is given to worker {worker}", task.step);
            emit_step(
                &mut work,
                EventKind::StepStarted,
                task,
                appliances.iter().find(|a| Some(a.id) == appliance_of(task)),
                message,
            );
        }
        work.commit().await?;
        let assign = |task: Task| {
            let appliance = appliances.iter().find(|a| Some(a.id) == appliance_of(&task)).cloned();
            let group = appliance.as_ref().and_then(|a| catalogue.groups.get(&a.group));
            let probes = group.map(|g| g.probes.clone()).unwrap_or_default();
            Some(Assignment {
                provider: catalogue.providers.get(&task.provider)?.clone(),
                deadline: deadline(task.step, &probes),
                endpoints: group.map(|g| g.endpoints.clone()).unwrap_or_default(),
                probes,
                appliance,
                installation_id: self.installation_id.clone(),
                task,
            })
        };
        Ok(tasks.into_iter().filter_map(assign).collect())
    }

    /// Takes the result of a step. `false`: it came from an assignment that is no longer current, and changed nothing.
    pub async fn finish_task(&self, worker: &WorkerId, key: TaskKey, outcome: Outcome) -> Result<bool> {
        let mut work = self.work().await?;
        let Some(mut task) = current_task(&mut work, worker, key).await? else { return Ok(false) };
        if ends_deployment(&task, &outcome) {
            // The pool may fail with it, and all others of the pool are killed then: their tasks are locked first, in the same order by
            // everyone. What holds one of them waits for the pool.
            drop(work);
            work = self.work().await?;
            lock_siblings(&mut work, &task).await?;
            task = match current_task(&mut work, worker, key).await? {
                Some(task) => task,
                None => return Ok(false),
            };
        }
        match appliance_of(&task) {
            Some(id) => self.finish_appliance_step(&mut work, &task, id, outcome).await?,
            None => self.finish_check(&mut work, &task, outcome).await?,
        }
        work.commit().await?;
        Ok(true)
    }

    /// Status lines of steps that go on.
    pub async fn report_progress(&self, lines: &[(ApplianceId, String)]) -> Result<()> {
        let mut work = self.work().await?;
        work.tx.set_statuses(lines).await?;
        work.commit().await
    }

    /// Tasks that these workers run and are to stop.
    pub async fn tasks_to_cancel(&self, workers: &[WorkerId]) -> Result<Vec<(WorkerId, TaskKey)>> {
        let tasks = self.ports.store.read().await?.tasks_to_cancel(workers).await?;
        Ok(tasks.into_iter().filter_map(|t| Some((t.worker.clone()?, TaskKey { id: t.id, epoch: t.epoch }))).collect())
    }

    /// How long until a task that is to be tried again is due, if there is one.
    pub async fn next_task_due(&self) -> Result<Option<Duration>> {
        let mut tx = self.ports.store.read().await?;
        let next = tx.next_due().await?;
        Ok(next.map(|at| (at - tx.now()).to_std().unwrap_or_default()))
    }

    async fn finish_check(&self, work: &mut Work, task: &Task, outcome: Outcome) -> Result<()> {
        let error = match outcome {
            Ok(StepOutput::Provider { version, templates }) => {
                self.provider_seen(work, task, &version, &templates).await?;
                return succeed(work, task).await;
            }
            Ok(_) => StepError {
                reason: StepErrorReason::ProviderError,
                message: "the worker answered something else".to_owned(),
            },
            Err(error) => error,
        };
        if after_failure(task.step, task.attempt, error.reason) == AfterFailure::Requeue {
            return work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Ready).uncounted()).await;
        }
        provider_failed(work, task, &error.message).await?;
        work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Failed).with_error(&error.message)).await?;
        work.tx.set_workflows(&[task.workflow_id], WorkflowState::Failed, &error.message).await
    }

    async fn finish_appliance_step(
        &self,
        work: &mut Work,
        task: &Task,
        id: ApplianceId,
        outcome: Outcome,
    ) -> Result<()> {
        let found = work
            .tx
            .appliance(&ApplianceBy::Id(id))
            .await?
            .ok_or_else(|| Error::internal("a task without its appliance"))?;
        let mut pool = match found.pool_id {
            Some(pool) => work.tx.lock_pool(pool).await?,
            None => None,
        };
        let appliance =
            work.tx.lock_appliances(&[id]).await?.pop().ok_or_else(|| Error::internal("an appliance vanished"))?;
        if task.cancel_requested {
            return stopped(work, task, &appliance, &outcome).await;
        }
        match outcome {
            Ok(output) => succeeded(work, task, appliance, pool.as_mut(), output).await,
            Err(error) => failed(work, task, appliance, pool, error).await,
        }
    }
}

/// The task, locked, if this is its current assignment.
async fn current_task(work: &mut Work, worker: &WorkerId, key: TaskKey) -> Result<Option<Task>> {
    let task = work.tx.lock_task(key.id).await?;
    Ok(task.filter(|task| {
        task.state == TaskState::Running && task.epoch == key.epoch && task.worker.as_ref() == Some(worker)
    }))
}

/// A deployment fails for good with this result, unless it was to be stopped anyway.
fn ends_deployment(task: &Task, outcome: &Outcome) -> bool {
    let gives_up = |error: &StepError| after_failure(task.step, task.attempt, error.reason) == AfterFailure::GiveUp;
    task.workflow == WorkflowKind::Deploy && !task.cancel_requested && outcome.as_ref().is_err_and(gives_up)
}

/// Locks the unfinished tasks of all appliances of the pool that the task's appliance belongs to.
async fn lock_siblings(work: &mut Work, task: &Task) -> Result<()> {
    let Some(id) = appliance_of(task) else { return Ok(()) };
    let pool = work.tx.appliance(&ApplianceBy::Id(id)).await?.and_then(|appliance| appliance.pool_id);
    let siblings = match pool {
        Some(pool) => work.tx.appliances_of_pools(&[pool], false).await?,
        None => Vec::new(),
    };
    let subjects: Vec<_> = siblings.iter().map(|sibling| Subject::Appliance(sibling.id)).collect();
    work.tx.live_workflows(&subjects).await.map(drop)
}

fn appliance_of(task: &Task) -> Option<ApplianceId> {
    match task.subject {
        Subject::Appliance(id) => Some(id),
        Subject::Provider(_) => None,
    }
}

fn emit_step(work: &mut Work, kind: EventKind, task: &Task, appliance: Option<&Appliance>, message: String) {
    work.emit(NewEvent {
        appliance_id: appliance.map(|a| a.id),
        pool_id: appliance.and_then(|a| a.pool_id),
        provider: Some(task.provider.clone()),
        workflow_id: Some(task.workflow_id),
        ..NewEvent::new(kind, appliance.map_or_else(|| message.clone(), |a| format!("{}: {message}", a.name)))
    });
}

/// The time for one try: the policy's, but for readiness the probes', with room for the last try to end.
fn deadline(step: StepKind, probes: &[Probe]) -> Duration {
    let policy = step.policy().deadline;
    match (step, probes.iter().map(|probe| probe.deadline).max()) {
        (StepKind::WaitReady, Some(longest)) => longest + Duration::from_secs(30),
        _ => policy,
    }
}

/// What is about to be cloned leaves the state requested, and its pool the state waiting, in the transaction that gives it out.
async fn begin_clones(work: &mut Work, tasks: &[Task], appliances: &mut [Appliance]) -> Result<()> {
    let clones: BTreeSet<_> = tasks.iter().filter(|t| t.step == StepKind::Clone).filter_map(appliance_of).collect();
    if clones.is_empty() {
        return Ok(());
    }
    let pools: BTreeSet<_> = appliances.iter().filter(|a| clones.contains(&a.id)).filter_map(|a| a.pool_id).collect();
    for mut pool in work.tx.lock_pools(&pools.into_iter().collect::<Vec<_>>()).await? {
        advance_pool(work, &mut pool, PoolEvent::Dispatched, "being deployed").await?;
    }
    let change = ApplianceChange {
        state: Some(ApplianceState::Cloning),
        clone_unconfirmed: Some(true),
        status: Some("cloning".to_owned()),
        ..ApplianceChange::default()
    };
    work.tx.change_appliances(&clones.iter().copied().collect::<Vec<_>>(), &change).await?;
    for appliance in appliances.iter_mut().filter(|a| clones.contains(&a.id)) {
        appliance.clone_unconfirmed = true;
        if let Some(state) = appliance.state.after(ApplianceEvent::Dispatched) {
            appliance.state = state;
            let message =
                format!("{} is being cloned from {} on {}", appliance.name, appliance.template, appliance.provider);
            work.emit_appliance(EventKind::ApplianceState, appliance, message);
        }
    }
    Ok(())
}

/// The task is done; the next step of its workflow is ready, or the workflow has succeeded.
async fn succeed(work: &mut Work, task: &Task) -> Result<()> {
    work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Done)).await?;
    let next = task.position + 1;
    if usize::try_from(next).is_ok_and(|next| next < task.workflow.steps().len()) {
        work.tx.ready_tasks(&[(task.workflow_id, next)]).await?;
        work.wake(Topic::Tasks);
        return Ok(());
    }
    work.tx.set_workflows(&[task.workflow_id], WorkflowState::Succeeded, "").await?;
    // A slot may be free, and a later workflow of the subject may be waiting.
    work.wake(Topic::Tasks);
    unblock(work, std::slice::from_ref(&task.subject)).await
}

/// A step that was to be stopped has ended, one way or the other: what waited for that goes on.
async fn stopped(work: &mut Work, task: &Task, appliance: &Appliance, outcome: &Outcome) -> Result<()> {
    if task.step == StepKind::Clone && is_confirmed(task, outcome) {
        let change = ApplianceChange { clone_unconfirmed: Some(false), ..ApplianceChange::default() };
        work.tx.change_appliances(&[appliance.id], &change).await?;
    }
    work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Cancelled)).await?;
    unblock(work, std::slice::from_ref(&task.subject)).await
}

/// The outcome of the clone is known: it is there, or this one and only try was refused.
fn is_confirmed(task: &Task, outcome: &Outcome) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) => task.attempt == 1 && task.epoch == 1 && error.reason.is_definite(),
    }
}

async fn succeeded(
    work: &mut Work,
    task: &Task,
    mut appliance: Appliance,
    pool: Option<&mut Pool>,
    output: StepOutput,
) -> Result<()> {
    emit_step(work, EventKind::StepDone, task, Some(&appliance), format!("{} is done", task.step));
    let (event, status) = match task.step {
        StepKind::Clone => (None, "cloned"),
        StepKind::WaitPresent => (None, "present"),
        StepKind::Tag => (Some(ApplianceEvent::Tagged), "starting"),
        StepKind::Start => (None, "started, waiting for an address"),
        StepKind::WaitAddress => (Some(ApplianceEvent::Addressed), "has an address, waiting until it is ready"),
        StepKind::WaitReady => (Some(ApplianceEvent::Proven), "ready"),
        StepKind::Stop => (None, "stopped"),
        StepKind::Delete => (None, "deleted, proving that nothing is left"),
        StepKind::WaitGone => (Some(ApplianceEvent::Absent), "gone"),
        StepKind::CheckProvider => (None, ""),
    };
    let mut change = ApplianceChange { status: Some(status.to_owned()), ..observed(output) };
    if task.step == StepKind::Clone {
        change.clone_unconfirmed = Some(false);
    }
    change.state = event.and_then(|event| appliance.state.after(event));
    work.tx.change_appliances(&[appliance.id], &change).await?;
    if let Some(state) = change.state {
        appliance.state = state;
        let message = format!("{} is {state}", appliance.name);
        work.emit_appliance(EventKind::ApplianceState, &appliance, message);
    }
    succeed(work, task).await?;
    match (appliance.state, pool) {
        (ApplianceState::Ready | ApplianceState::Gone, Some(pool)) => {
            settle_pools(work, &mut [(pool.id, pool.clone())].into()).await
        }
        _ => Ok(()),
    }
}

fn observed(output: StepOutput) -> ApplianceChange {
    match output {
        StepOutput::Observed { provider_ref, power, address, endpoints } => ApplianceChange {
            provider_ref: (!provider_ref.is_empty()).then_some(provider_ref),
            power: (power != PowerState::Unknown).then_some(power),
            endpoints: address.is_some().then_some(endpoints),
            address,
            ..ApplianceChange::default()
        },
        StepOutput::Empty | StepOutput::Provider { .. } => ApplianceChange::default(),
    }
}

async fn failed(
    work: &mut Work,
    task: &Task,
    appliance: Appliance,
    pool: Option<Pool>,
    error: StepError,
) -> Result<()> {
    let why = format!("{} failed: {}", task.step, error.message);
    match after_failure(task.step, task.attempt, error.reason) {
        AfterFailure::Requeue => {
            emit_step(
                work,
                EventKind::StepFailed,
                task,
                Some(&appliance),
                format!("{} was handed back, and goes on elsewhere", task.step),
            );
            work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Ready).uncounted()).await?;
        }
        AfterFailure::Retry(delay) => {
            let delay = delay.mul_f64(rand::rng().random_range(0.8..1.2));
            let says = format!("{why}; tried again in {:.1} s", delay.as_secs_f64());
            emit_step(work, EventKind::StepFailed, task, Some(&appliance), says.clone());
            work.tx.set_statuses(&[(appliance.id, says)]).await?;
            let change = TaskChange { due_in: delay, ..TaskChange::to(TaskState::Retrying).with_error(&error.message) };
            work.tx.change_tasks(&[task.id], &change).await?;
        }
        // What cannot be stopped can still be deleted: drivers delete in any power state.
        AfterFailure::GiveUp if task.step == StepKind::Stop => {
            emit_step(work, EventKind::StepFailed, task, Some(&appliance), format!("{why}; it is deleted as it is"));
            succeed(work, task).await?;
        }
        AfterFailure::GiveUp => {
            emit_step(work, EventKind::StepFailed, task, Some(&appliance), why.clone());
            work.tx.change_tasks(&[task.id], &TaskChange::to(TaskState::Failed).with_error(&error.message)).await?;
            work.tx.cancel_tasks(&[task.workflow_id]).await?;
            work.tx.set_workflows(&[task.workflow_id], WorkflowState::Failed, &error.message).await?;
            if task.workflow == WorkflowKind::Deploy {
                deployment_failed(work, task, appliance, pool, &error).await?;
            }
        }
    }
    work.wake(Topic::Tasks);
    Ok(())
}

/// The compensation of a deployment: what there is of it is killed, and its pool gets another one, elsewhere if possible, or fails.
async fn deployment_failed(
    work: &mut Work,
    task: &Task,
    appliance: Appliance,
    pool: Option<Pool>,
    error: &StepError,
) -> Result<()> {
    let broken = Appliance { state: ApplianceState::Failed, ..appliance };
    let mut change = ApplianceChange {
        state: Some(broken.state),
        status: Some(error.message.clone()),
        ..ApplianceChange::default()
    };
    if task.step == StepKind::Clone && task.attempt == 1 && task.epoch == 1 && error.reason.is_definite() {
        change.clone_unconfirmed = Some(false);
    }
    work.tx.change_appliances(&[broken.id], &change).await?;
    work.emit_appliance(EventKind::ApplianceState, &broken, format!("{} failed: {}", broken.name, error.message));
    if let Some(mut pool) = pool.filter(|pool| matches!(pool.state, PoolState::Waiting | PoolState::Provisioning)) {
        work.tx.change_pools(&[pool.id], &PoolChange { add_failures: 1, ..PoolChange::default() }).await?;
        let again = if pool.failure_count < failures_tolerated(pool.count) {
            replacement(work, &pool, &broken, error).await?
        } else {
            Vec::new()
        };
        if again.is_empty() {
            give_up(work, &mut pool, error).await?;
        } else {
            let wanted =
                For { pool: Some(pool.id), owner: Some(pool.owner_id), memory_mib: pool.memory_mib, cpus: pool.cpus };
            deploy(work, again.into_iter().map(|template| (template, wanted)).collect()).await?;
        }
    }
    kill_appliances(work, &[broken.id], &error.message).await
}

/// A template to try instead: alike, elsewhere if possible; not the same one again where that cannot help. None: there is nothing to try.
async fn replacement(work: &mut Work, pool: &Pool, broken: &Appliance, error: &StepError) -> Result<Vec<Template>> {
    let filter = TemplateFilter {
        group: Some(pool.group.clone()),
        provider: pool.provider.clone(),
        version: Some(pool.version.clone()),
        date: Some(pool.date),
        with_gone: false,
        usable_only: true,
    };
    let mut templates = work.tx.templates(&filter).await?;
    let hopeless = matches!(
        error.reason,
        StepErrorReason::TemplateNotFound
            | StepErrorReason::Invalid
            | StepErrorReason::Unsupported
            | StepErrorReason::AccessDenied
    );
    templates.retain(|t| !hopeless || t.id != broken.template_id);
    place(work, 1, &templates, std::slice::from_ref(&broken.provider)).await
}

/// The pool cannot be fulfilled: it fails, and what there is of it is killed.
async fn give_up(work: &mut Work, pool: &mut Pool, error: &StepError) -> Result<()> {
    let status = format!("no appliance could be deployed: {}", error.message);
    work.tx.change_pools(&[pool.id], &PoolChange { status: Some(status.clone()), ..PoolChange::default() }).await?;
    pool.status.clone_from(&status);
    advance_pool(work, pool, PoolEvent::GaveUp, &format!("failed: {status}")).await?;
    let rest: Vec<_> = work.tx.appliances_of_pools(&[pool.id], false).await?.iter().map(|a| a.id).collect();
    kill_appliances(work, &rest, "its pool failed").await
}
