//! Tasks: giving them to workers, and what workers say of them while they run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sprout_domain::{
    ApplianceId, Catalogue, Error, ProviderKey, Reason, Result, TaskId, TemplateId, WorkerId,
    appliance::{Appliance, ApplianceEvent, ApplianceState},
    dispatch::{FreeWorker, Server},
    event::{EventKind, NewEvent},
    group::{EndpointSpec, Probe},
    machine::Machine,
    pool::PoolEvent,
    preparation::Preparation,
    provider::ProviderSpec,
    template::Template,
    workflow::{StepError, StepKind, StepOutput, Subject, Task, TaskState, WorkflowKind},
};

use crate::{
    App, cleanup, machine_order,
    pool::advance_pool,
    ports::{ApplianceChange, Claim, Heard, Progress, TaskChange, Topic},
    prove,
    work::{Work, repeated},
};

/// Tasks given out in one transaction at most. More would only make the first of them wait longer.
const TOGETHER: u32 = 512;

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
    /// Name of the template it is about, if it is about one.
    pub template: Option<String>,
    /// Services the appliance's group offers.
    pub endpoints: Vec<EndpointSpec>,
    /// What the appliance must pass to be ready.
    pub probes: Vec<Probe>,
    /// For our tags.
    pub installation_id: String,
    /// What is to be deleted of what was left over.
    pub leftovers: Vec<Machine>,
    /// What is done inside of the appliance, where it is made a template.
    pub preparation: Option<Box<Preparation>>,
    /// The template that it is made.
    pub made: Option<Template>,
}

impl Assignment {
    /// With what its provider and group are configured to be; none: the provider is configured no more.
    pub(crate) fn of(
        catalogue: &Catalogue,
        installation_id: &str,
        task: Task,
        appliance: Option<Appliance>,
    ) -> Option<Self> {
        let group = appliance.as_ref().and_then(|a| catalogue.groups.get(&a.group));
        let unconfigured = appliance.as_ref().is_some_and(|a| a.unconfigured);
        // One that is still to be configured is ready when it is on.
        let mut probes = group.filter(|_| !unconfigured).map(|g| g.probes.clone()).unwrap_or_default();
        let preparation = group
            .filter(|_| matches!(task.workflow, WorkflowKind::Prepare | WorkflowKind::DeployUpdated))
            .map(|g| &g.preparation);
        if task.workflow == WorkflowKind::Prove {
            probes = prove::hurried(probes);
        }
        Some(Self {
            template: None,
            provider: catalogue.providers.get(&task.provider)?.clone(),
            deadline: deadline(task.step, &probes, preparation),
            preparation: preparation.cloned().map(Box::new),
            made: None,
            endpoints: group.map(|g| g.endpoints.clone()).unwrap_or_default(),
            probes,
            appliance,
            installation_id: installation_id.to_owned(),
            leftovers: Vec::new(),
            task,
        })
    }
}

/// Tasks that were given out, with all that they are about.
#[derive(Default)]
struct Given {
    tasks: Vec<Task>,
    appliances: Vec<Appliance>,
    templates: Vec<Template>,
    /// By provider, what is to be deleted there.
    leftovers: BTreeMap<ProviderKey, Vec<Machine>>,
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

    pub(crate) fn with_error(self, error: &str) -> Self {
        Self { error: error.to_owned(), ..self }
    }
}

impl App {
    /// Gives tasks to these workers, as far as they have room and their sessions are still theirs: through no other would they hear of them.
    /// Each assignment says whose it is; so many at once that it is worth asking again if there are any.
    pub async fn claim_tasks(&self, free: &[FreeWorker]) -> Result<Vec<Assignment>> {
        let catalogue = self.catalogue();
        let providers = |worker: &FreeWorker| -> BTreeSet<ProviderKey> {
            let serves = |spec: &&ProviderSpec| worker.drivers.iter().any(|driver| driver == spec.settings.driver());
            catalogue.providers.values().filter(serves).map(|spec| spec.key.clone()).collect()
        };
        let servers: Vec<_> = free
            .iter()
            .map(|worker| Server { id: worker.id.clone(), providers: providers(worker), room: worker.room.clone() })
            .collect();
        if servers.iter().all(|server| server.providers.is_empty() || server.room.total() == 0) {
            return Ok(Vec::new());
        }
        let sessions: Vec<_> = free.iter().map(|worker| (worker.id.clone(), worker.session.clone())).collect();
        let Given { tasks, appliances, templates, mut leftovers } =
            repeated(|| self.try_claim(&sessions, &servers)).await?;
        let mut appliances: BTreeMap<_, _> = appliances.into_iter().map(|a| (a.id, a)).collect();
        let assign = |task: Task| {
            let appliance = appliance_of(&task).and_then(|id| appliances.remove(&id));
            let named = |id| templates.iter().find(|template| template.id == id).cloned();
            let template = template_of(&task).and_then(named).map(|template| template.name);
            let made = appliance.as_ref().and_then(|appliance| appliance.prepares).and_then(named);
            let leftovers = match task.step {
                StepKind::DeleteMachines => leftovers.remove(&task.provider).unwrap_or_default(),
                _ => Vec::new(),
            };
            let assignment = Assignment::of(&catalogue, self.installation_id(), task, appliance)?;
            Some(Assignment { template, leftovers, made, ..assignment })
        };
        Ok(tasks.into_iter().filter_map(assign).collect())
    }

    async fn try_claim(&self, sessions: &[(WorkerId, String)], servers: &[Server]) -> Result<Given> {
        let mut work = self.work().await?;
        let held = work.tx.hold_sessions(sessions).await?;
        let servers: Vec<_> = servers.iter().filter(|server| held.contains(&server.id)).cloned().collect();
        if servers.is_empty() {
            return Ok(Given::default());
        }
        let claimed = work.tx.claim_tasks(&Claim { servers, limit: TOGETHER }).await?;
        if claimed.passed_over {
            work.wake(Topic::Tasks); // who looked meanwhile did not see them
        }
        let tasks = machine_order::still_free(&mut work, claimed.tasks).await?;
        let ids: Vec<_> = tasks.iter().filter_map(appliance_of).collect();
        let mut appliances = work.tx.appliances_by_id(&ids).await?;
        begin_clones(&mut work, &tasks, &mut appliances).await?;
        let made = tasks.iter().any(|task| task.workflow == WorkflowKind::Prepare);
        let made = appliances.iter().filter(|_| made).filter_map(|appliance| appliance.prepares);
        let templates: Vec<_> = tasks.iter().filter_map(template_of).chain(made).collect();
        let templates = if templates.is_empty() { Vec::new() } else { work.tx.templates_by_id(&templates).await? };
        let leftovers = cleanup::leftovers_of(&mut work, &tasks).await?;
        let of: BTreeMap<_, _> = appliances.iter().map(|appliance| (appliance.id, appliance)).collect();
        for task in tasks.iter().filter(|task| !task.step.is_routine()) {
            emit_begun(&mut work, task, appliance_of(task).and_then(|id| of.get(&id).copied()));
        }
        work.commit().await?;
        Ok(Given { tasks, appliances, templates, leftovers })
    }

    /// Writes down, in one transaction, what was heard in sessions and of the steps that run. Returns the workers whose sessions those still are.
    pub async fn note(&self, heard: &[Heard], progress: &[Progress]) -> Result<Vec<WorkerId>> {
        repeated(|| self.try_note(heard, progress)).await
    }

    async fn try_note(&self, heard: &[Heard], progress: &[Progress]) -> Result<Vec<WorkerId>> {
        let mut work = self.work().await?;
        let known = work.tx.workers_heard(heard).await?;
        let current = work.tx.note_progress(progress).await?;
        // What a step said before it ended must not cover what it ended with.
        let lines: Vec<_> = progress
            .iter()
            .filter(|said| !said.status.is_empty() && current.contains(&said.task.id))
            .filter_map(|said| Some((said.appliance?, said.status.clone())))
            .collect();
        work.tx.set_statuses(&lines).await?;
        work.commit().await?;
        Ok(known)
    }

    /// Tasks that these workers run and are to stop.
    pub async fn tasks_to_cancel(&self, workers: &[WorkerId]) -> Result<Vec<(WorkerId, TaskKey)>> {
        let tasks = self.ports.store.read().await?.tasks_to_cancel(workers).await?;
        Ok(tasks.into_iter().filter_map(|t| Some((t.worker.clone()?, key(&t)))).collect())
    }

    /// Those of these assignments that are still with their worker.
    pub async fn current_tasks(&self, keys: &[TaskKey]) -> Result<Vec<(TaskKey, WorkerId)>> {
        self.ports.store.read().await?.current(keys).await
    }

    /// How long until a task that is to be tried again is due, if there is one.
    pub async fn next_task_due(&self) -> Result<Option<Duration>> {
        let mut tx = self.ports.store.read().await?;
        let next = tx.next_due().await?;
        Ok(next.map(|at| (at - tx.now()).to_std().unwrap_or_default()))
    }

    /// Has a task that runs stopped, and tried again as if that try had failed.
    pub async fn cancel_task(&self, id: TaskId) -> Result<Task> {
        repeated(|| async move {
            let mut work = self.work().await?;
            let task = locked(&mut work, id).await?;
            if task.state != TaskState::Running {
                let sentence = format!(
                    "task {id} is not running; to end the work as a whole, cancel workflow {}",
                    task.workflow_id
                );
                return Err(Error::new(Reason::TaskNotRunning, sentence));
            }
            work.tx.stop_tasks(&[id], "stopped by request").await?;
            let task = locked(&mut work, id).await?;
            work.wake(Topic::Cancels);
            work.commit().await?;
            Ok(task)
        })
        .await
    }

    /// Makes a task that waits for its next try due now.
    pub async fn retry_task(&self, id: TaskId) -> Result<Task> {
        repeated(|| async move {
            let mut work = self.work().await?;
            let task = locked(&mut work, id).await?;
            if task.state != TaskState::Retrying {
                let sentence = format!("task {id} does not wait for another try; see `sproutctl task get {id}`");
                return Err(Error::new(Reason::TaskNotRetrying, sentence));
            }
            work.tx.hurry_tasks(&[id]).await?;
            let task = locked(&mut work, id).await?;
            work.wake(Topic::Tasks);
            work.commit().await?;
            Ok(task)
        })
        .await
    }
}

async fn locked(work: &mut Work, id: TaskId) -> Result<Task> {
    let missing = || Error::new(Reason::TaskNotFound, format!("there is no task {id}; it may have been pruned"));
    work.tx.lock_tasks(&[id]).await?.pop().ok_or_else(missing)
}

/// The assignment of a task that was given out.
pub(crate) fn key(task: &Task) -> TaskKey {
    TaskKey { id: task.id, epoch: task.epoch }
}

/// The appliance a task is about.
pub(crate) fn appliance_of(task: &Task) -> Option<ApplianceId> {
    match task.subject {
        Subject::Appliance(id) => Some(id),
        Subject::Provider(_) | Subject::Template(_) | Subject::Machine(_) | Subject::Nothing => None,
    }
}

/// The template a task is about.
pub(crate) fn template_of(task: &Task) -> Option<TemplateId> {
    match task.subject {
        Subject::Template(id) => Some(id),
        _ => None,
    }
}

/// Tells that something became of a step.
pub(crate) fn emit_step(work: &mut Work, kind: EventKind, task: &Task, appliance: Option<&Appliance>, message: String) {
    work.emit(NewEvent {
        appliance_id: appliance.map(|a| a.id),
        pool_id: appliance.and_then(|a| a.pool_id),
        provider: Some(task.provider.clone()),
        workflow_id: Some(task.workflow_id),
        ..NewEvent::new(kind, appliance.map_or_else(|| message.clone(), |a| format!("{}: {message}", a.name)))
    });
}

/// Tells that a step was given to a worker.
pub(crate) fn emit_begun(work: &mut Work, task: &Task, appliance: Option<&Appliance>) {
    let worker = task.worker.as_ref().map(|worker| worker.0.as_str()).unwrap_or_default();
    emit_step(work, EventKind::StepStarted, task, appliance, format!("{} is given to worker {worker}", task.step));
}

/// The time for one try: the policy's, but for readiness the probes', with room for the last try to end.
fn deadline(step: StepKind, probes: &[Probe], preparation: Option<&Preparation>) -> Duration {
    let policy = step.policy().deadline;
    if let Some(Preparation { version, configure, seal, update, .. }) = preparation
        && step != StepKind::WaitReady
    {
        let actions = match step {
            StepKind::Update => update,
            StepKind::VerifyVersion => version.as_slice(),
            StepKind::Configure => configure,
            StepKind::Seal => seal,
            _ => return policy,
        };
        return Preparation::time_of(actions) + Duration::from_secs(60);
    }
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
