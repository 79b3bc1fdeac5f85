//! Workflows as staff see and end them.

use sprout_proto::{
    pool::{GetPoolRequest, PoolState},
    provider::CheckProvidersRequest,
    task::TaskState,
    workflow::{
        CancelWorkflowRequest, GetWorkflowRequest, ListWorkflowsRequest, PingRequest, Workflow, WorkflowKind,
        WorkflowState,
    },
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Served, Staff, assert_refused, field};

on_each_database!(
    parents_and_their_parts_are_listed,
    cancelling_ends_a_workflow_once_with_its_parts,
    a_cancelled_deployment_leaves_nothing,
    mistakes_are_told,
);

async fn list(staff: &mut Staff, request: ListWorkflowsRequest) -> anyhow::Result<Vec<Workflow>> {
    Ok(staff.workflows.list_workflows(request).await?.into_inner().workflows)
}

async fn ping(staff: &mut Staff, count: u32) -> anyhow::Result<Workflow> {
    let answer = staff.workflows.ping(PingRequest { provider: "lab".to_owned(), count }).await?;
    Ok(answer.into_inner().workflow.unwrap_or_default())
}

async fn parents_and_their_parts_are_listed(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    let appliance = served.pool("ann").await?.appliances[0].id;
    let check = staff.providers.check_providers(CheckProvidersRequest {}).await?.into_inner().workflow;
    let check = check.unwrap_or_default();
    assert_eq!((check.kind(), check.child_count, check.open_child_count), (WorkflowKind::CheckProviders, 2, 2));
    let again = staff.providers.check_providers(CheckProvidersRequest {}).await?.into_inner().workflow;
    assert_eq!(again.unwrap_or_default().id, check.id, "it is under way");
    let all = list(&mut staff, ListWorkflowsRequest::default()).await?;
    assert!(all.len() == 4 && all.is_sorted_by(|a, b| a.id > b.id), "{all:?}");
    let parts = ListWorkflowsRequest { parent_id: Some(check.id), ..ListWorkflowsRequest::default() };
    let mut of_parent = list(&mut staff, parts).await?;
    of_parent.sort_by(|a, b| a.provider.cmp(&b.provider));
    assert_eq!(of_parent.iter().map(|part| part.provider.as_str()).collect::<Vec<_>>(), ["broken", "lab"]);
    assert!(of_parent.iter().all(|part| part.step == "check_provider" && part.state() == WorkflowState::Pending));
    let deploys = ListWorkflowsRequest { kind: WorkflowKind::Deploy.into(), ..ListWorkflowsRequest::default() };
    let deploys = list(&mut staff, deploys).await?;
    let of_appliance = ListWorkflowsRequest { appliance_id: Some(appliance), ..ListWorkflowsRequest::default() };
    assert_eq!((deploys.len(), &list(&mut staff, of_appliance).await?), (1, &deploys));
    assert_eq!((deploys[0].step.as_str(), deploys[0].provider.as_str()), ("clone", "lab"));
    let page = ListWorkflowsRequest { page_size: 3, ..ListWorkflowsRequest::default() };
    let first = staff.workflows.list_workflows(page.clone()).await?.into_inner();
    let next = ListWorkflowsRequest { page_token: first.next_page_token, ..page };
    assert_eq!((first.workflows.len(), list(&mut staff, next).await?.len()), (3, 1));
    let one = staff.workflows.get_workflow(GetWorkflowRequest { id: deploys[0].id }).await?.into_inner();
    assert_eq!((one.workflow.as_ref(), one.tasks.len()), (Some(&deploys[0]), 6));
    assert!(one.tasks.is_sorted_by_key(|task| task.position));
    Ok(())
}

async fn cancelling_ends_a_workflow_once_with_its_parts(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    let id = ping(&mut staff, 3).await?.id;
    let cancelled = staff.workflows.cancel_workflow(CancelWorkflowRequest { id }).await?.into_inner().workflow;
    let cancelled = cancelled.unwrap_or_default();
    assert_eq!((cancelled.state(), cancelled.open_child_count), (WorkflowState::Cancelled, 0));
    assert!(cancelled.finished_at.is_some());
    let again = staff.workflows.cancel_workflow(CancelWorkflowRequest { id }).await?.into_inner().workflow;
    assert_eq!(again, Some(cancelled), "it had ended");
    assert!(list(&mut staff, ListWorkflowsRequest::default()).await?.is_empty());
    let parts = ListWorkflowsRequest { parent_id: Some(id), ..ListWorkflowsRequest::default() };
    let parts = list(&mut staff, parts).await?;
    assert!(parts.len() == 3 && parts.iter().all(|part| part.state() == WorkflowState::Cancelled), "{parts:?}");
    let part = staff.workflows.get_workflow(GetWorkflowRequest { id: parts[0].id }).await?.into_inner();
    assert!(part.tasks.iter().all(|task| task.state() == TaskState::Cancelled) && part.tasks.len() == 1);
    Ok(())
}

async fn a_cancelled_deployment_leaves_nothing(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    let pool = served.pool("ann").await?;
    let id = list(&mut staff, ListWorkflowsRequest::default()).await?[0].id;
    let cancelled = staff.workflows.cancel_workflow(CancelWorkflowRequest { id }).await?.into_inner().workflow;
    assert_eq!(cancelled.unwrap_or_default().state(), WorkflowState::Cancelled);
    let seen = served.pools("ann").await?.get_pool(GetPoolRequest { id: pool.id }).await?.into_inner();
    let seen = seen.pool.unwrap_or_default();
    assert!(matches!(seen.state(), PoolState::Ended | PoolState::Failed | PoolState::Ending), "{seen:?}");
    Ok(())
}

async fn mistakes_are_told(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    for refused in [
        staff.workflows.get_workflow(GetWorkflowRequest { id: 999_999 }).await.map(drop),
        staff.workflows.cancel_workflow(CancelWorkflowRequest { id: 999_999 }).await.map(drop),
    ] {
        assert_refused(refused, Code::NotFound, "WORKFLOW_NOT_FOUND", "999999");
    }
    let nowhere = staff.workflows.ping(PingRequest { provider: "nope".to_owned(), count: 1 }).await;
    assert_refused(nowhere, Code::NotFound, "PROVIDER_NOT_FOUND", "known: ");
    for (wrong, blamed) in [
        (PingRequest { provider: String::new(), count: 1 }, "provider"),
        (PingRequest { provider: "lab".to_owned(), count: 100_001 }, "count"),
    ] {
        let refused = staff.workflows.ping(wrong).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), blamed);
    }
    for (wrong, blamed) in [
        (ListWorkflowsRequest { kind: 77, ..ListWorkflowsRequest::default() }, "kind"),
        (ListWorkflowsRequest { states: vec![77], ..ListWorkflowsRequest::default() }, "states"),
        (ListWorkflowsRequest { appliance_id: Some(0), ..ListWorkflowsRequest::default() }, "appliance_id"),
    ] {
        let refused = staff.workflows.list_workflows(wrong).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), blamed);
    }
    Ok(())
}
