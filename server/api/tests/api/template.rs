//! Templates that go, and appliances that nobody can delete: what clients are told, and what is refused.

use sprout_app::ports::Store as _;
use sprout_domain::provider::Totals;
use sprout_proto::{
    appliance::{ForgetApplianceRequest, ListAppliancesRequest},
    provider::GetProviderRequest,
    template::{
        DeleteTemplateRequest, ListTemplatesRequest, PlanRequest, ReleaseTemplateRequest, TemplateAction, TemplateState,
    },
    workflow::{GetWorkflowRequest, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Served, assert_refused, field, find_templates};

on_each_database!(
    a_template_is_retired_once_and_its_workflow_can_be_followed,
    superfluous_templates_are_planned_marked_and_listed,
    only_what_nobody_can_delete_is_forgotten,
    a_provider_tells_how_large_it_is,
);

async fn a_template_is_retired_once_and_its_workflow_can_be_followed(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.templates("stan").await?;
    let all = staff.list_templates(ListTemplatesRequest::default()).await?.into_inner().templates;
    let id = all[0].id;
    let begun = staff.delete_template(DeleteTemplateRequest { id }).await?.into_inner();
    assert_eq!(begun.template.unwrap().state(), TemplateState::Retiring);
    let again = staff.delete_template(DeleteTemplateRequest { id }).await?.into_inner();
    assert_eq!(again.workflow_id, begun.workflow_id);
    let workflow = GetWorkflowRequest { id: begun.workflow_id.unwrap() };
    let workflow = served.staff().await?.workflows.get_workflow(workflow).await?.into_inner().workflow.unwrap();
    assert_eq!((workflow.kind(), workflow.state()), (WorkflowKind::DeleteTemplate, WorkflowState::Pending));
    assert_eq!(workflow.provider, "lab");
    let released = staff.release_template(ReleaseTemplateRequest { id }).await;
    assert_refused(released, Code::FailedPrecondition, "WRONG_STATE", "going or gone");
    let unknown = staff.delete_template(DeleteTemplateRequest { id: 999 }).await;
    assert_refused(unknown, Code::NotFound, "TEMPLATE_NOT_FOUND", "sproutctl template list");
    let wrong = staff.delete_template(DeleteTemplateRequest { id: 0 }).await;
    assert_eq!(field(&wrong.unwrap_err()), "id");
    let pool = served.pool("ann").await?;
    assert_ne!(pool.version, all[0].version, "it is used no more");
    Ok(())
}

async fn superfluous_templates_are_planned_marked_and_listed(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    find_templates(&served.database, &["1.0.1", "1.0.2", "1.1.1"]).await?;
    let mut staff = served.templates("stan").await?;
    let planned = staff.plan(PlanRequest::default()).await?.into_inner().templates;
    let rows: Vec<_> =
        planned.iter().map(|row| (row.template.as_ref().unwrap().version.as_str(), row.action())).collect();
    assert_eq!(rows, [("1.0.1", TemplateAction::Suggest)]);
    assert!(planned[0].reason.contains("1.0.2 of 1.0 is there"), "{}", planned[0].reason);
    let suggested = ListTemplatesRequest { suggested_for_deletion: true, ..ListTemplatesRequest::default() };
    assert!(staff.list_templates(suggested.clone()).await?.into_inner().templates.is_empty(), "a plan changes nothing");
    served.app.mark_templates().await?;
    let found = staff.list_templates(suggested).await?.into_inner().templates;
    assert_eq!(found.iter().map(|template| &*template.version).collect::<Vec<_>>(), ["1.0.1"]);
    let elsewhere = PlanRequest { provider: Some("broken".to_owned()), ..PlanRequest::default() };
    assert!(staff.plan(elsewhere).await?.into_inner().templates.is_empty());
    let unknown = staff.plan(PlanRequest { group: Some("nope".to_owned()), ..PlanRequest::default() }).await;
    assert_refused(unknown, Code::NotFound, "GROUP_NOT_FOUND", "nope");
    Ok(())
}

async fn only_what_nobody_can_delete_is_forgotten(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let id = served.pool("ann").await?.appliances[0].id;
    // As if a worker had begun it.
    served.database.execute(&format!("update appliances set state = 'cloning' where id = {id}")).await?;
    let own = sprout_domain::ApplianceId(i64::try_from(id)?);
    served.app.kill_appliance(&served.user("ann").await?, own).await?;
    let mut superuser = served.appliances("sue").await?;
    let refused = superuser.forget_appliance(ForgetApplianceRequest { id }).await;
    assert_refused(refused, Code::FailedPrecondition, "WRONG_STATE", "is configured");
    let mut catalogue = (*served.app.catalogue()).clone();
    catalogue.providers.remove(&"lab".into());
    served.app.set_catalogue(catalogue).await?;
    served.app.deal_with_late().await?;
    let stuck = ListAppliancesRequest { stuck: true, ..ListAppliancesRequest::default() };
    let found = superuser.list_appliances(stuck.clone()).await?.into_inner().appliances;
    assert_eq!(found.len(), 1);
    assert!(found[0].stuck_since.is_some() && found[0].status.contains("not configured any more"), "{:?}", found[0]);
    let forgotten = superuser.forget_appliance(ForgetApplianceRequest { id }).await?.into_inner().appliance.unwrap();
    assert!(forgotten.stuck_since.is_none());
    assert!(superuser.list_appliances(stuck).await?.into_inner().appliances.is_empty());
    Ok(())
}

async fn a_provider_tells_how_large_it_is(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut tx = served.database.store().write().await?;
    tx.set_totals(&"lab".into(), &Totals { memory_mib: Some(4096), cpus: None }).await?;
    tx.commit().await?;
    let request = GetProviderRequest { key: "lab".to_owned() };
    let provider = served.staff().await?.providers.get_provider(request).await?.into_inner().provider.unwrap();
    assert_eq!(provider.memory_mib.unwrap().total, Some(4096));
    assert_eq!(provider.cpus.unwrap().total, None);
    Ok(())
}
