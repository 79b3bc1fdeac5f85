//! `sproutctl provider check` of all providers: one workflow, of which each check is a part.

use std::{collections::BTreeSet, time::Duration};

use sprout_client::{
    ClientError, Connection,
    proto::{
        provider::CheckProvidersRequest,
        workflow::{ListWorkflowsRequest, Workflow, WorkflowState},
    },
};

use super::list;
use crate::{
    commands::{wait::Bound, workflow},
    context::Context,
    failure::Failure,
    output::progress::Progress,
};

pub(super) async fn run(
    context: &Context<'_>,
    connection: &Connection,
    waits: bool,
    timeout: Duration,
) -> Result<(), Failure> {
    let answer = connection.providers().check_providers(CheckProvidersRequest {}).await;
    let begun = answer.map_err(|status| connection.explain(status))?.into_inner().workflow;
    let Workflow { id, child_count, .. } = workflow::workflow_of(begun)?;
    context.out.note(&format!("{child_count} providers are being checked (workflow {id})"));
    if waits {
        let bound = Bound {
            timeout: Some(timeout),
            late: "not all checks have ended yet".to_owned(),
            hint: format!(
                "is a worker for each type connected? `sproutctl worker list` shows them, \
                 `sproutctl workflow list --parent {id}` the checks"
            ),
        };
        bound.on(follow(context, connection, id)).await?;
    }
    let providers = list::list(connection).await?;
    context.out.list(&providers)?;
    let failing: Vec<_> = providers.iter().filter(|p| waits && !p.disabled && !p.working).map(|p| &*p.key).collect();
    if failing.is_empty() {
        return Ok(());
    }
    let message = format!("{} of {} providers do not work: {}", failing.len(), providers.len(), failing.join(", "));
    Err(Failure::Outcome { message, hint: "their status says why; the server's log says more".to_owned() })
}

/// Waits until all checks have ended, and tells of each that has.
async fn follow(context: &Context<'_>, connection: &Connection, id: u64) -> Result<(), Failure> {
    let mut progress = Progress::new(context.out, true);
    let (mut told, mut open) = (BTreeSet::new(), None);
    workflow::ended(connection, &mut progress, id, async |progress, parent| {
        progress.parts("providers checked", parent);
        if open.replace(parent.open_child_count) != Some(parent.open_child_count) {
            for check in ended(connection, id).await?.into_iter().filter(|check| told.insert(check.id)) {
                let how = if check.state() == WorkflowState::Succeeded { "works" } else { "does not work" };
                let separator = if check.error.is_empty() { "" } else { ": " };
                progress.note(&format!("provider {} {how}{separator}{}", check.provider, check.error));
            }
        }
        Ok(())
    })
    .await
    .map(drop)
}

/// The checks that have ended.
async fn ended(connection: &Connection, parent: u64) -> Result<Vec<Workflow>, ClientError> {
    let request = ListWorkflowsRequest { parent_id: Some(parent), page_size: 1000, ..ListWorkflowsRequest::default() };
    let page = connection.workflows().list_workflows(request).await.map_err(|status| connection.explain(status))?;
    Ok(page.into_inner().workflows.into_iter().filter(|check| check.finished_at.is_some()).collect())
}
