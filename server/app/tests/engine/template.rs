//! Templates that go: by request or for their age, with the last appliance of theirs; and those that are suggested for it.

use std::{collections::BTreeSet, time::Duration};

use sprout_app::{
    Assignment,
    ports::{ApplianceFilter, FoundTemplate, Page, Store as _, TemplateFilter},
};
use sprout_domain::{
    PoolId, Reason, TemplateId,
    appliance::ApplianceState,
    obsolete::Action,
    operation::Capability,
    provider::Totals,
    template::{BuildDate, Said, TemplateState},
    version::Version,
    workflow::{StepErrorReason, StepKind, StepOutput, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{Worker, World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    a_template_is_deleted_when_its_last_appliance_is_gone,
    a_template_without_appliances_is_deleted_at_once,
    a_look_that_began_before_does_not_bring_it_back,
    what_cannot_be_deleted_stays_out_of_use_and_is_tried_again,
    a_quarantine_ends_with_its_template,
    old_versions_are_suggested_and_old_builds_used_no_more_and_deleted,
    a_provider_says_how_large_it_is,
);

impl World {
    async fn only_template(&self) -> anyhow::Result<TemplateId> {
        Ok(self.database.store().read().await?.standing_templates().await?[0].id)
    }

    async fn state_of(&self, id: TemplateId) -> anyhow::Result<TemplateState> {
        Ok(self.app.template(&self.user, id).await?.state)
    }

    async fn ready_pool(&self, worker: &Worker) -> anyhow::Result<PoolId> {
        let pool = self.request(1, HOUR).await?;
        worker.work().await?;
        Ok(pool)
    }

    /// Has the provider looked at, where these templates are.
    async fn check(&self, worker: &Worker, templates: &[&str]) -> anyhow::Result<()> {
        self.app.check_provider(&"lab".into()).await?;
        let check = one(worker, StepKind::CheckProvider).await?;
        assert!(worker.finish(key(&check), Ok(seen(templates, Totals::default()))).await?);
        Ok(())
    }
}

/// Takes the only step there is, which is this one.
async fn one(worker: &Worker, step: StepKind) -> anyhow::Result<Assignment> {
    let mut claimed = worker.claim().await?;
    assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [step]);
    Ok(claimed.remove(0))
}

fn seen(templates: &[&str], totals: Totals) -> StepOutput {
    let templates = templates.iter().map(|name| (*name).to_owned()).collect();
    StepOutput::Provider { version: "1".to_owned(), templates, capabilities: BTreeSet::default(), totals }
}

async fn a_template_is_deleted_when_its_last_appliance_is_gone(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.ready_pool(&worker).await?;
    world.warm(2).await?;
    let id = world.only_template().await?;

    let (template, workflow) = world.app.delete_template(&world.user, id).await?;
    assert_eq!(template.state, TemplateState::Retiring);
    let workflow = workflow.unwrap();
    assert_eq!(world.app.delete_template(&world.user, id).await?.1, Some(workflow), "the same again");
    let killing = ApplianceFilter { states: vec![ApplianceState::Killing], ..ApplianceFilter::default() };
    let mut superuser = world.user.clone();
    superuser.role = sprout_domain::user::Role::Superuser;
    let page = Page { before: None, limit: 9 };
    assert_eq!(world.app.appliances(&superuser, killing, page).await?.len(), 2, "the warm ones go, and no other");
    world.app.delete_retired_templates().await?;
    assert!(!worker.work().await?.contains(&StepKind::DeleteTemplate), "one of it is a pool's");
    world.app.delete_retired_templates().await?;
    assert!(worker.work().await?.is_empty());
    assert_eq!(world.request(1, HOUR).await.unwrap_err().reason, Reason::NoTemplate);
    for there in [&["app-1.0"][..], &[]] {
        world.check(&worker, there).await?;
        assert_eq!(world.state_of(id).await?, TemplateState::Retiring, "whatever is seen");
    }

    world.app.kill_pool(&world.user, pool).await?;
    worker.work().await?;
    world.app.delete_retired_templates().await?;
    let deletion = one(&worker, StepKind::DeleteTemplate).await?;
    assert_eq!((deletion.task.workflow_id, deletion.template.as_deref()), (workflow, Some("app-1.0")));
    assert!(worker.finish(key(&deletion), well(StepKind::DeleteTemplate)).await?);
    assert_eq!(world.app.workflow(workflow).await?.0.state, WorkflowState::Succeeded);
    let (template, again) = world.app.delete_template(&world.user, id).await?;
    assert_eq!((template.state, again), (TemplateState::Gone, None));
    Ok(())
}

async fn a_template_without_appliances_is_deleted_at_once(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let id = world.only_template().await?;
    let workflow = world.app.delete_template(&world.user, id).await?.1.unwrap();
    let cancelled = world.app.cancel_workflow(workflow).await.unwrap_err();
    assert_eq!(cancelled.reason, Reason::WorkflowNotCancellable);
    world.app.delete_retired_templates().await?;
    assert_eq!(worker.work().await?, [StepKind::DeleteTemplate]);
    assert_eq!(world.state_of(id).await?, TemplateState::Gone);
    let unknown = world.app.delete_template(&world.user, TemplateId(999)).await.unwrap_err();
    assert_eq!(unknown.reason, Reason::TemplateNotFound);
    Ok(())
}

async fn a_look_that_began_before_does_not_bring_it_back(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let id = world.only_template().await?;
    world.app.check_provider(&"lab".into()).await?;
    let slow = one(&worker, StepKind::CheckProvider).await?;
    world.app.delete_template(&world.user, id).await?;
    world.app.delete_retired_templates().await?;
    assert_eq!(worker.work().await?, [StepKind::DeleteTemplate]);
    assert!(worker.finish(key(&slow), Ok(seen(&["app-1.0"], Totals::default()))).await?);
    assert_eq!(world.state_of(id).await?, TemplateState::Gone);
    world.check(&worker, &["app-1.0"]).await?;
    assert_eq!(world.state_of(id).await?, TemplateState::Ready, "somebody made it anew");
    Ok(())
}

async fn what_cannot_be_deleted_stays_out_of_use_and_is_tried_again(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let id = world.only_template().await?;
    let workflow = world.app.delete_template(&world.user, id).await?.1.unwrap();
    world.app.delete_retired_templates().await?;
    let refused = one(&worker, StepKind::DeleteTemplate).await?;
    assert!(worker.finish(key(&refused), badly(StepErrorReason::Invalid)).await?);
    let failed = world.app.workflow(workflow).await?.0;
    assert_eq!((failed.state, failed.error.as_str()), (WorkflowState::Failed, "as the test wants"));
    assert_eq!(world.state_of(id).await?, TemplateState::Retiring);
    assert_eq!(world.app.delete_obsolete_templates().await?, "1 templates are being deleted");
    assert_eq!(world.app.delete_obsolete_templates().await?, "0 templates are being deleted", "it is under way");
    world.app.delete_retired_templates().await?;
    assert_eq!(worker.work().await?, [StepKind::DeleteTemplate]);
    assert_eq!(world.state_of(id).await?, TemplateState::Gone);

    world.check(&worker, &["app-1.0"]).await?;
    let mut tx = world.database.store().write().await?;
    tx.set_capabilities(&"lab".into(), &BTreeSet::from([Capability::Power])).await?;
    tx.commit().await?;
    let unable = world.app.delete_template(&world.user, id).await.unwrap_err();
    assert_eq!(unable.reason, Reason::Unsupported);
    assert_eq!(world.state_of(id).await?, TemplateState::Ready, "nothing was changed");
    Ok(())
}

async fn a_quarantine_ends_with_its_template(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let id = world.only_template().await?;
    for _ in 0..3 {
        world.request(1, HOUR).await?;
        let clone = one(&worker, StepKind::Clone).await?;
        assert!(worker.finish(key(&clone), badly(StepErrorReason::TemplateNotFound)).await?);
        worker.work().await?;
    }
    assert_eq!(world.state_of(id).await?, TemplateState::Quarantined);
    let template = world.app.delete_template(&world.user, id).await?.0;
    assert_eq!((template.state, template.specimen_id, template.next_try_at), (TemplateState::Retiring, None, None));
    worker.work().await?;
    world.app.delete_retired_templates().await?;
    assert_eq!(worker.work().await?, [StepKind::DeleteTemplate], "its specimen was killed, too");
    Ok(())
}

async fn old_versions_are_suggested_and_old_builds_used_no_more_and_deleted(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let mut tx = world.database.store().write().await?;
    let today = tx.now().date_naive();
    let found = |version: &str, age: u64| FoundTemplate {
        name: format!("app-{version}"),
        group: "app".into(),
        version: Version::new(version),
        date: today.checked_sub_days(chrono::Days::new(age)).unwrap_or(BuildDate::MIN),
        said: Said::default(),
    };
    tx.sync_templates(&"lab".into(), &[found("1.1.1", 100), found("1.1.2", 20), found("1.1.3", 1)]).await?;
    tx.commit().await?;
    let mut catalogue = (*world.app.catalogue()).clone();
    let group = catalogue.groups.get_mut(&"app".into()).unwrap();
    (group.template_obsolete_days, group.template_obsolete_days_delete) = (Some(10), Some(90));
    world.app.set_catalogue(catalogue).await?;

    let planned = world.app.plan_templates(&world.user, None, None).await?;
    let planned: Vec<_> = planned.iter().map(|(t, verdict)| (t.version.as_str(), verdict.action)).collect();
    assert_eq!(planned, [("1.1.1", Action::Delete), ("1.1.2", Action::Disuse)]);
    world.app.plan_templates(&world.user, Some(&"none".into()), None).await.unwrap_err();
    assert_eq!(world.app.mark_templates().await?, (2, 2));
    let every = TemplateFilter { with_gone: true, ..TemplateFilter::default() };
    let all = world.app.templates(&world.user, &every).await?;
    let marks: Vec<_> = all.iter().map(|t| (t.version.to_string(), t.suggested_for_deletion, t.obsolete)).collect();
    let expected = [("1.1.3", false, false), ("1.1.2", true, true), ("1.1.1", true, true), ("1.0", false, false)];
    assert_eq!(marks, expected.map(|(version, suggested, obsolete)| (version.to_owned(), suggested, obsolete)));
    let mut old = sprout_domain::pool::PoolRequest::new("old", "app", 1);
    old.version = Some(Version::new("1.1.2"));
    assert_eq!(world.app.request_pool(&world.user, old).await.unwrap_err().reason, Reason::NoTemplate);

    assert_eq!(world.app.delete_obsolete_templates().await?, "1 templates are being deleted");
    world.app.delete_retired_templates().await?;
    assert_eq!(one(&worker, StepKind::DeleteTemplate).await?.template.as_deref(), Some("app-1.1.1"));
    Ok(())
}

async fn a_provider_says_how_large_it_is(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    for (said, known) in [
        (Totals { memory_mib: Some(64), cpus: Some(4) }, (Some(64), Some(4))),
        (Totals { memory_mib: None, cpus: Some(8) }, (Some(64), Some(8))),
        (Totals::default(), (Some(64), Some(8))),
    ] {
        world.app.check_provider(&"lab".into()).await?;
        let check = one(&worker, StepKind::CheckProvider).await?;
        assert!(worker.finish(key(&check), Ok(seen(&["app-1.0"], said))).await?);
        let provider = world.app.provider(&world.user, &"lab".into()).await?;
        assert_eq!((provider.memory.total, provider.cpus.total), known, "an older worker says nothing of it");
    }
    Ok(())
}
