//! Lists of tasks. What has ended is most of the table, and is not read to find what has not: what runs is found by its worker's index, what
//! waits through the workflows that have not ended, and what went wrong by an index of its own.

use async_trait::async_trait;
use sprout_app::ports::{Page, TaskFilter, TaskListRows};
use sprout_domain::{
    Result, TaskId,
    workflow::{Task, TaskState},
};

use crate::{
    convert::{Named as _, limit},
    entities::task::Model,
    tx::{Clauses, SeaTx},
};

/// Groups of states, each with the condition that finds its tasks.
const GROUPS: [(&[TaskState], &str); 4] = [
    (&[TaskState::Running], "state = 'running'"),
    (
        &[TaskState::Blocked, TaskState::Ready, TaskState::Retrying],
        "state in ('blocked', 'ready', 'retrying') and workflow_id in (select id from workflows where finished_at is null)",
    ),
    (&[TaskState::Failed, TaskState::Cancelled], "state in ('failed', 'cancelled')"),
    (&[TaskState::Done], "state = 'done'"),
];

#[async_trait]
impl TaskListRows for SeaTx {
    async fn tasks(&mut self, filter: &TaskFilter, page: Page) -> Result<Vec<Task>> {
        let mut wanted = Clauses::default();
        if let Some(before) = page.before {
            wanted.add("id < ?", before);
        }
        if let Some(worker) = &filter.worker {
            wanted.add("worker = ?", worker.0.as_str());
        }
        if let Some(provider) = &filter.provider {
            wanted.add("provider = ?", provider.0.as_str());
        }
        if let Some(workflow) = filter.workflow {
            wanted.add("workflow_id = ?", workflow.0);
        }
        if !filter.states.is_empty() {
            let names = self.texts(filter.states.iter().map(|state| state.name()));
            wanted.among(self, "state", names);
        }
        let is_in = |state: &TaskState| filter.states.contains(state) || filter.states.is_empty() && !state.is_final();
        let groups: Vec<_> = match filter.workflow {
            // The few tasks of one workflow are found by that alone.
            Some(_) => vec!["true"],
            None => GROUPS.iter().filter(|(states, _)| states.iter().any(is_in)).map(|(_, group)| *group).collect(),
        };
        let (wanted_sql, rows) = (wanted.conditions(), wanted.parameter(limit(page.limit)));
        let page_of = |group: &&str| {
            let sql = format!("select * from tasks where {group} and {wanted_sql} order by id desc limit {rows}");
            format!("select * from ({sql}) as part")
        };
        let parts: Vec<String> = groups.iter().map(page_of).collect();
        let sql = format!("select * from ({}) as listed order by id desc limit {rows}", parts.join(" union all "));
        let found: Vec<Model> = self.rows(&sql, wanted.values).await?;
        found.into_iter().map(Task::try_from).collect()
    }

    async fn task(&mut self, id: TaskId) -> Result<Option<Task>> {
        let found: Option<Model> = self.row("select * from tasks where id = $1", [id.0.into()]).await?;
        found.map(Task::try_from).transpose()
    }
}
