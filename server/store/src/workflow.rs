//! Workflows and their tasks. A task repeats what its workflow is about, so that giving it out reads one table.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Claim, LiveWorkflow, NewWorkflow, TaskChange, WorkflowRows};
use sprout_domain::{
    ApplianceId, Error, ProviderKey, Reason, Result, TaskId, Timestamp, WorkerId, WorkflowId, lease,
    workflow::{Subject, Task, TaskState, WorkflowKind, WorkflowState},
};

use crate::{
    convert::{Named, count, lane, variant},
    entities::task::Model,
    tx::{Clauses, SeaTx},
};

/// What a workflow of this kind with these columns is about.
fn subject(kind: WorkflowKind, appliance: Option<i64>, provider: Option<&str>) -> Subject {
    match (kind, appliance, provider) {
        (_, Some(id), _) => Subject::Appliance(ApplianceId(id)),
        (WorkflowKind::CheckProvider, None, Some(key)) => Subject::Provider(key.into()),
        _ => Subject::Nothing,
    }
}

impl TryFrom<Model> for Task {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        let workflow = variant(&row.workflow)?;
        Ok(Self {
            id: TaskId(row.id),
            workflow_id: WorkflowId(row.workflow_id),
            workflow,
            subject: subject(workflow, row.appliance_id, Some(&row.provider)),
            step: variant(&row.step)?,
            position: count(row.position)?,
            state: variant(&row.state)?,
            lane: lane(row.lane)?,
            provider: ProviderKey(row.provider),
            attempt: count(row.attempt)?,
            epoch: row.epoch,
            worker: row.worker.map(WorkerId),
            cancel_requested: row.cancel_requested,
            stalled: row.stalled,
            due_at: row.due_at,
            status: row.status,
            error: row.error,
            created_at: row.created_at,
            started_at: row.started_at,
            progress_at: row.progress_at,
            finished_at: row.finished_at,
        })
    }
}

/// Rows as tasks.
pub(crate) fn tasks(rows: Vec<Model>) -> Result<Vec<Task>> {
    rows.into_iter().map(Task::try_from).collect()
}

/// The appliance a workflow is about.
fn appliance_of(subject: &Subject) -> Option<i64> {
    match subject {
        Subject::Appliance(id) => Some(id.0),
        Subject::Provider(_) | Subject::Nothing => None,
    }
}

/// The appliances, and the providers, among subjects.
fn split(subjects: &[Subject]) -> (Vec<i64>, Vec<&str>) {
    let providers = subjects.iter().filter_map(|subject| match subject {
        Subject::Appliance(_) | Subject::Nothing => None,
        Subject::Provider(key) => Some(key.0.as_str()),
    });
    (subjects.iter().filter_map(appliance_of).collect(), providers.collect())
}

impl SeaTx {
    /// The tasks of a new workflow, one per step.
    fn steps(&self, id: i64, workflow: &NewWorkflow) -> impl Iterator<Item = Vec<Value>> {
        let first = if workflow.wait { TaskState::Blocked } else { TaskState::Ready };
        workflow.kind.steps().iter().zip(0_i64..).map(move |(step, position)| {
            let state = if position == 0 { first } else { TaskState::Blocked };
            vec![
                id.into(),
                workflow.kind.name().into(),
                appliance_of(&workflow.subject).into(),
                workflow.provider.0.as_str().into(),
                step.name().into(),
                position.into(),
                (workflow.kind.lane() as i16).into(),
                workflow.priority.into(),
                state.name().into(),
                0_i64.into(),
                0_i64.into(),
                false.into(),
                self.time(self.now),
                "".into(),
                self.time(self.now),
            ]
        })
    }
}

#[async_trait]
impl WorkflowRows for SeaTx {
    async fn insert_workflows(&mut self, workflows: Vec<NewWorkflow>) -> Result<Vec<WorkflowId>> {
        #[derive(FromQueryResult)]
        struct Inserted {
            id: i64,
        }
        let row = |new: &NewWorkflow| -> Vec<Value> {
            vec![
                new.kind.name().into(),
                appliance_of(&new.subject).into(),
                new.provider.0.as_str().into(),
                new.owner_id.map(|id| id.0).into(),
                new.priority.into(),
                WorkflowState::Pending.name().into(),
                "".into(),
                self.time(self.now),
            ]
        };
        let target = "workflows (kind, appliance_id, provider, owner_id, priority, state, error, created_at)";
        let rows = workflows.iter().map(row).collect();
        let mut ids: Vec<Inserted> = self.insert_returning(target, rows, "on conflict do nothing returning id").await?;
        if ids.len() < workflows.len() {
            let sentence = "this is being killed or checked already; look again, and wait for that";
            return Err(Error::new(Reason::WrongState, sentence));
        }
        ids.sort_by_key(|row| row.id); // numbers are given in the order of the values
        let tasks = ids.iter().zip(&workflows).flat_map(|(row, workflow)| self.steps(row.id, workflow)).collect();
        let target = "tasks (workflow_id, workflow, appliance_id, provider, step, position, lane, priority, state, attempt, \
                      epoch, cancel_requested, due_at, error, created_at)";
        self.insert(target, tasks, "").await?;
        Ok(ids.into_iter().map(|row| WorkflowId(row.id)).collect())
    }

    async fn live_workflows(&mut self, subjects: &[Subject]) -> Result<Vec<LiveWorkflow>> {
        #[derive(FromQueryResult)]
        struct Locked {
            #[allow(dead_code, reason = "read to be locked")]
            id: i64,
        }
        #[derive(FromQueryResult)]
        struct Live {
            id: i64,
            kind: String,
            appliance_id: Option<i64>,
            provider: String,
            has_running_task: bool,
        }
        let (appliances, providers) = split(subjects);
        let about =
            format!("(appliance_id {} or (appliance_id is null and provider {}))", self.among(1), self.among(2));
        let values = [self.numbers(appliances), self.texts(providers)];
        if self.on_postgres() {
            let lock = format!(
                "select id from tasks where {about} and state in ('blocked', 'ready', 'running', 'retrying') order by id{}",
                self.locked()
            );
            let _: Vec<Locked> = self.rows(&lock, values.clone()).await?;
        }
        // A statement of its own, because what it waited for may have changed them.
        let sql = format!(
            "select w.id, w.kind, w.appliance_id, w.provider,
                    exists (select 1 from tasks t where t.workflow_id = w.id and t.state = 'running') as has_running_task
             from workflows w where {about} and w.state in ('pending', 'running') order by w.id"
        );
        let rows: Vec<Live> = self.rows(&sql, values).await?;
        rows.into_iter()
            .map(|row| {
    X                    has_running_task: row.has_running_task,
                })
            })
            .collect()
    }

    async fn set_workflows(&mut self, ids: &[WorkflowId], state: WorkflowState, error: &str) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut set = Clauses::default();
        set.add("state = ?", state.name());
        set.add("error = ?", error);
        if state.is_final() {
            set.add("finished_at = ?", self.time(self.now));
        }
        self.update("workflows", set, ids.iter().map(|id| id.0)).await
    }

    async fn cancel_tasks(&mut self, workflows: &[WorkflowId]) -> Result<()> {
        if workflows.is_empty() {
            return Ok(());
        }
        // One statement: between two, a task could be given to a worker and be missed by both.
        let sql = format!(
            "update tasks set cancel_requested = (state = 'running'),
                              finished_at = case when state = 'running' then null else {now} end,
                              state = case when state = 'running' then state else 'cancelled' end
             where state in ('blocked', 'ready', 'running', 'retrying') and workflow_id {}",
            self.among(2),
            now = if self.on_postgres() { "$1::timestamptz" } else { "$1" },
        );
        self.run(&sql, [self.time(self.now), self.numbers(workflows.iter().map(|id| id.0))]).await?;
        Ok(())
    }

    async fn claim_tasks(&mut self, claim: &Claim) -> Result<Vec<Task>> {
        self.claim(claim).await
    }

    async fn lock_task(&mut self, id: TaskId) -> Result<Option<Task>> {
        let sql = format!("select * from tasks where id = $1{}", self.locked());
        self.row::<Model>(&sql, [id.0.into()]).await?.map(Task::try_from).transpose()
    }

    async fn change_tasks(&mut self, ids: &[TaskId], change: &TaskChange) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut set = Clauses::default();
        set.add("state = ?", change.state.name());
        set.add("due_at = ?", self.time(lease::end(self.now, change.due_in)));
        set.add("error = ?", change.error.as_str());
        if change.state != TaskState::Running {
            set.plain("worker = null");
        }
        if matches!(change.state, TaskState::Done | TaskState::Failed | TaskState::Cancelled) {
            set.add("finished_at = ?", self.time(self.now));
        }
        if change.uncount_attempt {
            set.plain("attempt = case when attempt > 0 then attempt - 1 else 0 end");
        }
        self.update("tasks", set, ids.iter().map(|id| id.0)).await
    }

    async fn ready_tasks(&mut self, tasks: &[(WorkflowId, u32)]) -> Result<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let wanted = if self.on_postgres() {
            "select * from unnest($1::bigint[], $2::bigint[]) as wanted (workflow_id, position)"
        } else {
            "select w.value as workflow_id, p.value as position from json_each($1) w join json_each($2) p on p.key = w.key"
        };
        let sql = format!(
            "update tasks set state = 'ready', due_at = $3 from ({wanted}) as wanted
             where tasks.workflow_id = wanted.workflow_id and tasks.position = wanted.position and tasks.state = 'blocked'"
        );
        let workflows = self.numbers(tasks.iter().map(|(workflow, _)| workflow.0));
        let positions = self.numbers(tasks.iter().map(|(_, position)| i64::from(*position)));
        self.run(&sql, [workflows, positions, self.time(self.now)]).await?;
        Ok(())
    }

    async fn tasks_of_worker(&mut self, worker: &WorkerId) -> Result<Vec<Task>> {
        let sql = format!("select * from tasks where worker = $1 and state = 'running' order by id{}", self.locked());
        tasks(self.rows(&sql, [worker.0.as_str().into()]).await?)
    }

    async fn tasks_to_cancel(&mut self, workers: &[WorkerId]) -> Result<Vec<Task>> {
        let sql = format!(
            "select * from tasks where worker {} and state = 'running' and cancel_requested order by id",
            self.among(1)
        );
        tasks(self.rows(&sql, [self.texts(workers.iter().map(|id| &*id.0))]).await?)
    }

    async fn next_due(&mut self) -> Result<Option<Timestamp>> {
        #[derive(FromQueryResult)]
        struct Next {
            due_at: Timestamp,
        }
        let sql = "select due_at from tasks where state = 'retrying' and due_at > $1 order by due_at limit 1";
        let next: Option<Next> = self.row(sql, [self.time(self.now)]).await?;
        Ok(next.map(|row| row.due_at))
    }
}
