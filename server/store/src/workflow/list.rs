//! Reading workflows, each with the step it is at.

use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Page, WorkflowFilter};
use sprout_domain::{
    Error, ProviderKey, Result, UserId, WorkflowId,
    workflow::{StepKind, Workflow},
};

use super::{About, UNFINISHED, subject};
use crate::{
    convert::{Named, count, limit, variant},
    entities::workflow::Model,
    tx::{Clauses, SeaTx},
};

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    workflow: Model,
    step: Option<String>,
}

impl TryFrom<Row> for Workflow {
    type Error = Error;

    fn try_from(Row { workflow: row, step }: Row) -> Result<Self> {
        let kind = variant(&row.kind)?;
        Ok(Self {
            id: WorkflowId(row.id),
            kind,
            state: variant(&row.state)?,
            subject: subject(
                kind,
                About {
                    appliance: row.appliance_id,
                    template: row.template_id,
                    provider: row.provider.as_deref(),
                    machine: row.machine,
                    machine_tag: row.machine_tag,
                },
            ),
            provider: row.provider.map(ProviderKey),
            owner_id: row.owner_id.map(UserId),
            parent_id: row.parent_id.map(WorkflowId),
            child_count: count(row.child_count)?,
            open_child_count: count(row.open_children)?,
            failed_child_count: count(row.failed_children)?,
            step: step.as_deref().map(variant::<StepKind>).transpose()?,
            error: row.error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

impl SeaTx {
    /// At most `most` of the workflows of which these conditions are true, newest first.
    pub(crate) async fn listed(
        &self,
        conditions: &str,
        values: impl IntoIterator<Item = Value> + Send,
        most: i64,
    ) -> Result<Vec<Workflow>> {
        // The step is looked up only for those that are returned.
        let sql = format!(
            "select w.*, (select t.step from tasks t where t.workflow_id = w.id and {UNFINISHED}
                          order by t.position limit 1) as step
             from (select * from workflows where {conditions} order by id desc limit {most}) w order by w.id desc"
        );
        let rows: Vec<Row> = self.rows(&sql, values).await?;
        rows.into_iter().map(Workflow::try_from).collect()
    }

    /// A page of a list.
    pub(super) async fn page(&self, filter: &WorkflowFilter, page: Page) -> Result<Vec<Workflow>> {
        let mut conditions = Clauses::default();
        if let Some(before) = page.before {
            conditions.add("id < ?", before);
        }
        if let Some(appliance) = filter.appliance_id {
            conditions.add("appliance_id = ?", appliance.0);
        }
        if let Some(parent) = filter.parent_id {
            conditions.add("parent_id = ?", parent.0);
        }
        if let Some(kind) = filter.kind {
            conditions.add("kind = ?", kind.name());
        }
        if let Some(provider) = &filter.provider {
            conditions.add("provider = ?", provider.0.as_str());
        }
        if filter.states.is_empty() {
            if filter.appliance_id.is_none() && filter.parent_id.is_none() {
                conditions.plain("finished_at is null");
            }
        } else {
            conditions.among(self, "state", self.texts(filter.states.iter().map(|state| state.name())));
            if filter.states.iter().all(|state| !state.is_final()) {
                conditions.plain("finished_at is null"); // what the indexes know
            }
        }
        let written = conditions.conditions();
        self.listed(&written, conditions.values, limit(page.limit)).await
    }
}
