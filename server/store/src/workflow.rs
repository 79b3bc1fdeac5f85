//! Workflows and how they begin and end. A task repeats what its workflow is about, so that giving it out reads one table.

mod insert;
mod list;

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use sprout_app::ports::{Begun, Ended, LiveWorkflow, NewWorkflow, Page, WorkflowFilter, WorkflowRows, WorkflowsToLock};
use sprout_domain::{
    ApplianceId, Error, ProviderKey, Result, TaskId, TemplateId, Timestamp, WorkerId, WorkflowId,
    machine::order::Target,
    workflow::{Subject, Task, Workflow, WorkflowKind, WorkflowState},
};

use crate::{
    convert::{Named, count, lane, limit, microseconds, variant},
    entities::task::Model,
    task::Column,
    tx::SeaTx,
};

/// Columns that say what a workflow is about.
#[derive(Default)]
struct About<'a> {
    appliance: Option<i64>,
    template: Option<i64>,
    provider: Option<&'a str>,
    machine: Option<String>,
    machine_tag: Option<i64>,
}

/// What a workflow of this kind with these columns is about.
fn subject(kind: WorkflowKind, about: About<'_>) -> Subject {
    match about {
        About { appliance: Some(id), .. } => Subject::Appliance(ApplianceId(id)),
        About { template: Some(id), .. } => Subject::Template(TemplateId(id)),
        About { machine: Some(name), machine_tag, provider: Some(key), .. } => {
            Subject::Machine(Target { provider: key.into(), name, tag: machine_tag.map(ApplianceId) })
        }
        About { provider: Some(key), .. } if kind.is_of_provider() => Subject::Provider(key.into()),
        About { .. } => Subject::Nothing,
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
            subject: subject(
                workflow,
                About {
                    appliance: row.appliance_id,
                    template: row.template_id,
                    provider: Some(&row.provider),
                    machine: row.machine,
                    machine_tag: row.machine_tag,
                },
            ),
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
        Subject::Provider(_) | Subject::Template(_) | Subject::Machine(_) | Subject::Nothing => None,
    }
}

/// The template a workflow is about.
fn template_of(subject: &Subject) -> Option<i64> {
    match subject {
        Subject::Template(id) => Some(id.0),
        _ => None,
    }
}

/// The machine a workflow is about, by its name.
fn machine_of(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Machine(target) => Some(target.name.clone()),
        _ => None,
    }
}

/// The tag that it must carry.
fn machine_tag_of(subject: &Subject) -> Option<i64> {
    match subject {
        Subject::Machine(target) => target.tag.map(|id| id.0),
        _ => None,
    }
}

/// Ids as numbers.
fn numbers(ids: &[WorkflowId]) -> impl Iterator<Item = i64> + Send {
    ids.iter().map(|id| id.0)
}

/// A task that has not ended, as the partial indexes have it.
const UNFINISHED: &str = "state in ('blocked', 'ready', 'running', 'retrying')";

#[derive(FromQueryResult)]
struct Locked {
    #[allow(dead_code, reason = "read to be locked")]
    id: i64,
}

/// A workflow that has just ended, or a parent of some.
#[derive(FromQueryResult)]
struct Part {
    parent_id: Option<i64>,
    state: String,
}

impl SeaTx {
    /// Counts ended parts for their parents. Returns the parents that nothing is left of.
    async fn count_parts(&self, parts: Vec<Part>) -> Result<Vec<i64>> {
        #[derive(FromQueryResult)]
        struct Counted {
            id: i64,
            open_children: i64,
        }
        // In order of id, as everyone locks them.
        let mut parents = std::collections::BTreeMap::<i64, (i64, i64)>::new();
        for part in parts {
            let Some(parent) = part.parent_id else { continue };
            let counts = parents.entry(parent).or_default();
            counts.0 += 1;
            counts.1 += i64::from(part.state != WorkflowState::Succeeded.name());
        }
        if parents.is_empty() {
            return Ok(Vec::new());
        }
        if self.on_postgres() && parents.len() > 1 {
            let lock = format!("select id from workflows where id {} order by id{}", self.among(1), self.locked());
            let _: Vec<Locked> = self.rows(&lock, [self.numbers(parents.keys().copied())]).await?;
        }
        let columns = vec![
            ("parent", Column::Numbers(parents.keys().copied().collect())),
            ("ended", Column::Numbers(parents.values().map(|counts| counts.0).collect())),
            ("failed", Column::Numbers(parents.values().map(|counts| counts.1).collect())),
        ];
        let (table, values) = self.table(1, columns);
        let sql = format!(
            "update workflows set open_children = open_children - ended, failed_children = failed_children + failed
             from ({table}) as given where id = parent returning id, open_children"
        );
        let counted: Vec<Counted> = self.rows(&sql, values).await?;
        Ok(counted.into_iter().filter(|parent| parent.open_children == 0).map(|parent| parent.id).collect())
    }

    /// Ends parents whose parts have all ended, but not those that ended before them.
    async fn end_parents(&self, ids: Vec<i64>) -> Result<Vec<i64>> {
        let sql = format!(
            "update workflows
             set state = case when failed_children = 0 then 'succeeded' else 'failed' end,
                 error = case when failed_children = 0 then ''
                              else failed_children || ' of ' || child_count || ' parts did not succeed' end,
                 finished_at = {}
             where finished_at is null and open_children = 0 and id {} returning id",
            self.moment_parameter(1),
            self.among(2)
        );
        let ended: Vec<Locked> = self.rows(&sql, [self.time(self.now), self.numbers(ids)]).await?;
        Ok(ended.into_iter().map(|row| row.id).collect())
    }

    /// A parameter whose type a statement does not tell.
    fn moment_parameter(&self, number: usize) -> String {
        if self.on_postgres() { format!("${number}::timestamptz") } else { format!("${number}") }
    }
}

#[async_trait]
impl WorkflowRows for SeaTx {
    async fn insert_workflows(&mut self, workflows: Vec<NewWorkflow>) -> Result<Vec<Begun>> {
        self.insert_with_tasks(&workflows).await
    }

    async fn insert_parent_of(&mut self, parent: WorkflowKind, part: &NewWorkflow, count: u32) -> Result<Workflow> {
        self.insert_alike(parent, part, count).await
    }

    async fn gather_parts(&mut self, parent: WorkflowId, others: &[WorkflowId]) -> Result<u32> {
        #[derive(FromQueryResult)]
        struct Parts {
            child_count: i64,
        }
        if !others.is_empty() {
            let sql = format!(
                "update workflows set parent_id = $1 where parent_id is null and finished_at is null and id <> $1 and id {}",
                self.among(2)
            );
            self.run(&sql, [parent.0.into(), self.numbers(numbers(others))]).await?;
        }
        let sql = "update workflows set child_count = parts.count, open_children = parts.count
                   from (select count(*) as count from workflows where parent_id = $1) as parts
                   where id = $1 returning child_count";
        let parts: Option<Parts> = self.row(sql, [parent.0.into()]).await?;
        count(parts.ok_or_else(|| Error::internal("a parent that is not there"))?.child_count)
    }

    async fn live_workflows(&mut self, subjects: &[Subject]) -> Result<Vec<LiveWorkflow>> {
        #[derive(FromQueryResult)]
        struct Live {
            id: i64,
            kind: String,
            appliance_id: Option<i64>,
            provider: Option<String>,
            has_running_task: bool,
        }
        let appliances: Vec<_> = subjects.iter().filter_map(appliance_of).collect();
        if appliances.is_empty() {
            return Ok(Vec::new());
        }
        let about = format!("appliance_id {}", self.among(1));
        let values = [self.numbers(appliances)];
        if self.on_postgres() {
            let lock = format!("select id from tasks where {about} and {UNFINISHED} order by id{}", self.locked());
            let _: Vec<Locked> = self.rows(&lock, values.clone()).await?;
        }
        // A statement of its own, because what it waited for may have changed them.
        let sql = format!(
            "select w.id, w.kind, w.appliance_id, w.provider,
                    exists (select 1 from tasks t where t.workflow_id = w.id and t.state = 'running') as has_running_task
             from workflows w where {about} and w.finished_at is null order by w.id"
        );
        let rows: Vec<Live> = self.rows(&sql, values).await?;
        rows.into_iter()
            .map(|row| {
                let kind = variant(&row.kind)?;
                Ok(LiveWorkflow {
                    id: WorkflowId(row.id),
                    kind,
                    subject: subject(
                        kind,
                        About { appliance: row.appliance_id, provider: row.provider.as_deref(), ..About::default() },
                    ),
                    has_running_task: row.has_running_task,
                })
            })
            .collect()
    }

    async fn lock_workflows(&mut self, which: &WorkflowsToLock, most: u64) -> Result<Vec<Workflow>> {
        let (column, id) = match *which {
            WorkflowsToLock::One(id) => ("id", id),
            WorkflowsToLock::PartsOf(id) => ("parent_id", id),
        };
        let which =
            format!("select id from workflows where {column} = $1 and finished_at is null order by id limit $2");
        let found: Vec<Locked> = self.rows(&which, [id.0.into(), limit(most).into()]).await?;
        let ids: Vec<_> = found.into_iter().map(|row| row.id).collect();
        if self.on_postgres() {
            let lock = format!(
                "select id from tasks where workflow_id {} and {UNFINISHED} order by id{}",
                self.among(1),
                self.locked()
            );
            let _: Vec<Locked> = self.rows(&lock, [self.numbers(ids.iter().copied())]).await?;
        }
        self.listed(&format!("finished_at is null and id {}", self.among(1)), [self.numbers(ids)], limit(most)).await
    }

    async fn end_workflows(&mut self, ended: &[Ended]) -> Result<Vec<Workflow>> {
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        let columns = vec![
            ("which", Column::Numbers(ended.iter().map(|end| end.id.0).collect())),
            ("last_state", Column::Texts(ended.iter().map(|end| end.state.name().to_owned()).collect())),
            ("why", Column::Texts(ended.iter().map(|end| end.error.clone()).collect())),
        ];
        let (table, values) = self.table(2, columns);
        let sql = format!(
            "update workflows set state = last_state, error = why, finished_at = {} from ({table}) as given
             where id = which and finished_at is null returning parent_id, state",
            self.moment_parameter(1)
        );
        let values = std::iter::once(self.time(self.now)).chain(values).collect::<Vec<_>>();
        let mut parts: Vec<Part> = self.rows(&sql, values).await?;
        let mut parents = Vec::new();
        // Parents have parents of their own; each round is one generation.
        loop {
            let empty = self.count_parts(parts).await?;
            if empty.is_empty() {
                return Ok(parents);
            }
            let ended = self.end_parents(empty).await?;
            if ended.is_empty() {
                return Ok(parents);
            }
            let most = i64::try_from(ended.len()).unwrap_or(i64::MAX);
            let ended = self.listed(&format!("id {}", self.among(1)), [self.numbers(ended)], most).await?;
            let part = |parent: &Workflow| Part {
                parent_id: parent.parent_id.map(|id| id.0),
                state: parent.state.name().to_owned(),
            };
            parts = ended.iter().map(part).collect();
            parents.extend(ended);
        }
    }

    async fn cancel_tasks(&mut self, workflows: &[WorkflowId]) -> Result<()> {
        if workflows.is_empty() {
            return Ok(());
        }
        // One statement: between two, a task could be given to a worker and be missed by both.
        let now = self.moment_parameter(1);
        let sql = format!(
            "update tasks set cancel_requested = (state = 'running'),
                              stop_asked_at = case when state = 'running' then coalesce(stop_asked_at, {now}) end,
                              finished_at = case when state = 'running' then null else {now} end,
                              state = case when state = 'running' then state else 'cancelled' end
             where {UNFINISHED} and workflow_id {}",
            self.among(2),
        );
        self.run(&sql, [self.time(self.now), self.numbers(numbers(workflows))]).await?;
        Ok(())
    }

    async fn ready_tasks(&mut self, tasks: &[(WorkflowId, u32)]) -> Result<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let columns = vec![
            ("mine", Column::Numbers(tasks.iter().map(|(workflow, _)| workflow.0).collect())),
            ("place", Column::Numbers(tasks.iter().map(|(_, position)| i64::from(*position)).collect())),
        ];
        let (table, values) = self.table(2, columns);
        let sql = format!(
            "update tasks set state = 'ready', due_at = $1 from ({table}) as given
             where workflow_id = given.mine and position = given.place and state = 'blocked'"
        );
        self.run(&sql, std::iter::once(self.time(self.now)).chain(values).collect::<Vec<_>>()).await?;
        Ok(())
    }

    async fn next_due(&mut self) -> Result<Option<Timestamp>> {
        #[derive(FromQueryResult)]
        struct Next {
            due_at: Timestamp,
        }
        let sql =
            "select due_at from tasks where state in ('ready', 'retrying') and due_at > created_at and due_at > $1
                   order by due_at limit 1";
        let next: Option<Next> = self.row(sql, [self.time(self.now)]).await?;
        Ok(next.map(|row| row.due_at))
    }

    async fn workflows(&mut self, filter: &WorkflowFilter, page: Page) -> Result<Vec<Workflow>> {
        self.page(filter, page).await
    }

    async fn workflow(&mut self, id: WorkflowId) -> Result<Option<Workflow>> {
        Ok(self.listed("id = $1", [id.0.into()], 1).await?.pop())
    }

    async fn tasks_of_workflow(&mut self, id: WorkflowId) -> Result<Vec<Task>> {
        tasks(self.rows("select * from tasks where workflow_id = $1 order by position", [id.0.into()]).await?)
    }

    async fn prune_workflows(&mut self, keep: Duration, most: u64) -> Result<u64> {
        let before = self.now - chrono::TimeDelta::microseconds(microseconds(keep).min(MAX_KEEP));
        let sql = format!(
            "select w.id from workflows w
             where w.finished_at < $1 and not exists (select 1 from workflows part where part.parent_id = w.id)
               and not exists (select 1 from tasks t where t.workflow_id = w.id and t.state = 'running')
             order by w.finished_at limit $2{}",
            if self.on_postgres() { " for update of w skip locked" } else { "" }
        );
        let old: Vec<Locked> = self.rows(&sql, [self.time(before), limit(most).into()]).await?;
        if old.is_empty() {
            return Ok(0);
        }
        let ids = self.numbers(old.into_iter().map(|row| row.id));
        self.run(&format!("delete from tasks where workflow_id {}", self.among(1)), [ids.clone()]).await?;
        self.run(&format!("delete from workflows where id {}", self.among(1)), [ids]).await
    }
}

/// A hundred years: longer is for ever, and moments have an end.
const MAX_KEEP: i64 = 100 * 365 * 24 * 3600 * 1_000_000;
