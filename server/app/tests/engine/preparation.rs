//! Preparing templates: done, failed at any step, told twice, given to another because its worker was lost, ended by request, and late.

use std::time::Duration;

use sprout_app::{
    App, Outcome, TaskKey, WantedShepherd,
    ports::{ApplianceBy, ApplianceFilter, BuildIndex, EventFilter, FoundTemplate, Page, PoolFilter, Store as _},
};
use sprout_domain::{
    ApplianceId, Catalogue, Reason, TemplateId, WorkflowId,
    appliance::{Appliance, ApplianceState, PowerState},
    builds::BuildSource,
    event::EventKind,
    group::TemplatePattern,
    operation::Capability,
    pool::{PoolRequest, PoolState},
    preparation::{Action, Deed, Preparation},
    template::{Said, Template, TemplateState, TemplateType},
    user::{Role, User},
    version::Version,
    workflow::{StepErrorReason, StepKind, StepOutput, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::{
    catalogue_sync::Says,
    world::{Worker, World, badly, key, server, well},
};

on_each_database!(
    a_template_is_made_and_appliances_are_deployed_from_it,
    what_fails_at_any_step_leaves_nothing,
    what_is_told_twice_is_done_once,
    what_a_lost_worker_had_is_done_by_the_next,
    what_is_ended_by_request_or_late_leaves_nothing,
    another_version_inside_is_told_and_a_suffix_corrects_the_record,
    the_service_prepares_the_newest_first_and_no_more_than_it_may,
    what_cannot_be_prepared_is_refused,
    who_waits_goes_first,
    builds_are_pulled_by_templates_of_their_own,
    what_is_to_be_updated_is_deployed_and_updated_before_it_is_ready,
    what_was_made_of_a_template_may_be_used_as_that_one_may,
);

/// The steps of a preparation.
fn steps() -> &'static [StepKind] {
    WorkflowKind::Prepare.steps()
}

fn script(text: &str) -> Action {
    let deed = Deed::Script { name: text.to_owned(), text: text.into() };
    Action { deed, limit: Duration::from_secs(60), silence: None }
}

fn preparing(catalogue: &Catalogue) -> Catalogue {
    let mut catalogue = catalogue.clone();
    for group in catalogue.groups.values_mut() {
        group.preparation = Preparation {
            wanted: true,
            automatic: true,
            builds: None,
            ssh: None,
            version: Some(script("version")),
            configure: vec![script("configure")],
            seal: vec![script("seal")],
            update: vec![script("update")],
        };
    }
    for provider in catalogue.providers.values_mut() {
        provider.configuring_limit = 1;
    }
    catalogue
}

struct Bench {
    world: World,
    worker: Worker,
    parent: TemplateId,
    staff: User,
}

/// What a worker says of a step that went well.
fn done(step: StepKind) -> Outcome {
    match step {
        StepKind::WaitSsh => Ok(StepOutput::HostKey("ssh-ed25519 AAAA".to_owned())),
        StepKind::VerifyVersion => Ok(StepOutput::Version("1.0\n".to_owned())),
        StepKind::Stop => Ok(StepOutput::Observed {
            provider_ref: "ref".to_owned(),
            power: PowerState::Off,
            address: None,
            endpoints: Vec::new(),
            console_url: None,
        }),
        _ => well(step),
    }
}

async fn bench(db: TestDatabase) -> anyhow::Result<Bench> {
    let mut world = World::new(db).await?;
    let configured = preparing(&world.app.catalogue());
    world.app = server(&world.database, configured).await?;
    let worker = world.worker("w", &[]).await?;
    let mut tx = world.database.store().write().await?;
    tx.mark_unconfigured(&"lab".into(), &["app".into()]).await?;
    let parent = tx.standing_templates().await?.remove(0).id;
    tx.commit().await?;
    let mut staff = world.user.clone();
    staff.role = Role::Superuser;
    Ok(Bench { world, worker, parent, staff })
}

impl Bench {
    fn app(&self) -> &App {
        &self.world.app
    }

    async fn begin(&self) -> anyhow::Result<(Template, WorkflowId)> {
        Ok(self.app().prepare_template(&self.staff, self.parent).await?)
    }

    /// The one step there is.
    async fn claim(&self, step: StepKind) -> anyhow::Result<TaskKey> {
        let claimed = self.worker.claim().await?;
        assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [step]);
        if step == StepKind::MakeTemplate {
            assert!(claimed[0].made.as_ref().is_some_and(|made| made.name.starts_with("s_tpl_app_")));
        }
        Ok(key(&claimed[0]))
    }

    async fn end(&self, step: StepKind) -> anyhow::Result<()> {
        let task = self.claim(step).await?;
        assert!(self.worker.finish(task, done(step)).await?, "{step}");
        Ok(())
    }

    async fn template(&self, id: TemplateId) -> anyhow::Result<Template> {
        Ok(self.app().template(&self.staff, id).await?)
    }

    async fn appliances(&self) -> anyhow::Result<Vec<Appliance>> {
        let page = Page { before: None, limit: 100 };
        Ok(self.app().appliances(&self.staff, ApplianceFilter::default(), page).await?)
    }

    async fn workshop(&self, made: TemplateId) -> anyhow::Result<Appliance> {
        let id = self.app().workshop(&self.staff, made).await?;
        let mut tx = self.world.database.store().read().await?;
        Ok(tx.appliance(&ApplianceBy::Id(id)).await?.unwrap())
    }

    async fn ended(&self, id: WorkflowId) -> anyhow::Result<WorkflowState> {
        Ok(self.app().workflow(id).await?.0.state)
    }

    /// Kills and deletes what there is of a preparation, and nothing else is left to do; returns the steps.
    async fn cleans_up(&self) -> anyhow::Result<Vec<StepKind>> {
        let mut cleaned = self.worker.work().await?;
        self.app().delete_retired_templates().await?;
        cleaned.extend(self.worker.work().await?);
        assert!(self.appliances().await?.is_empty(), "an appliance is left");
        Ok(cleaned)
    }

    async fn looked_at(&self, listed: &[&str]) -> anyhow::Result<()> {
        self.app().check_provider(&"lab".into()).await?;
        let task = self.claim(StepKind::CheckProvider).await?;
        let seen = StepOutput::Provider {
            version: "1".to_owned(),
            templates: listed.iter().map(|name| (*name).to_owned()).collect(),
            capabilities: Capability::ALL.into(),
            totals: sprout_domain::provider::Totals::default(),
        };
        assert!(self.worker.finish(task, Ok(seen)).await?);
        Ok(())
    }
}

async fn a_template_is_made_and_appliances_are_deployed_from_it(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    let (made, workflow) = bench.begin().await?;
    assert_eq!((made.state, made.parent_id, made.unconfigured), (TemplateState::Preparing, Some(bench.parent), false));
    assert!(made.name.starts_with("s_tpl_app_") && made.version == Version::new("1.0"), "{made:?}");
    assert_eq!(bench.begin().await?.1, workflow, "the same again");
    let nothing = bench.world.request(1, Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(nothing.reason, Reason::NoTemplate, "nobody gets what is not prepared");
    for step in steps() {
        // A look at the provider in between changes nothing, whatever it shows.
        if *step == StepKind::Configure {
            let task = bench.claim(*step).await?;
            bench.looked_at(&["app-1.0"]).await?;
            assert!(bench.worker.finish(task, done(*step)).await?);
            assert_eq!(bench.template(made.id).await?.state, TemplateState::Preparing);
            continue;
        }
        let goes = bench.app().preparations(&[made.id]).await?;
        assert_eq!(goes[0].step, Some(*step));
        bench.end(*step).await?;
    }
    assert_eq!(bench.ended(workflow).await?, WorkflowState::Succeeded);
    assert_eq!(bench.template(made.id).await?.state, TemplateState::Ready);
    assert_eq!(bench.workshop(made.id).await?.host_key.as_deref(), Some("ssh-ed25519 AAAA"));
    assert_eq!(bench.cleans_up().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone]);
    bench.looked_at(&["app-1.0", &made.name]).await?;
    let seen = bench.template(made.id).await?;
    assert_eq!((seen.state, seen.unconfigured, seen.verified_version.as_str()), (TemplateState::Ready, false, "1.0"));
    assert!(bench.template(bench.parent).await?.unconfigured);

    let pool = bench.world.request(1, Duration::from_secs(60)).await?;
    bench.app().place_waiting().await?;
    bench.worker.work().await?;
    let view = bench.world.pool(pool).await?;
    assert_eq!((view.appliances[0].state, view.appliances[0].template_id), (ApplianceState::Ready, made.id));
    // It goes as others do, and what is listed no more is gone.
    bench.looked_at(&["app-1.0"]).await?;
    assert_eq!(bench.template(made.id).await?.state, TemplateState::Gone);
    Ok(())
}

async fn what_fails_at_any_step_leaves_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    for (n, failing) in steps().iter().enumerate() {
        let (made, workflow) = bench.begin().await?;
        for step in &steps()[..n] {
            bench.end(*step).await?;
        }
        let task = bench.claim(*failing).await?;
        assert!(bench.worker.finish(task, badly(StepErrorReason::Invalid)).await?);
        assert_eq!(bench.ended(workflow).await?, WorkflowState::Failed, "{failing}");
        let may_be_there = *failing == StepKind::MakeTemplate;
        let state = if may_be_there { TemplateState::Retiring } else { TemplateState::Gone };
        assert_eq!(bench.template(made.id).await?.state, state, "{failing}");
        let parent = bench.template(bench.parent).await?;
        assert_eq!((parent.state, usize::try_from(parent.preparation.failures)?), (TemplateState::Ready, n + 1));
        assert!(parent.preparation.error.contains("as the test wants"), "{}", parent.preparation.error);
        assert!(parent.preparation.not_before.is_some());
        let cleaned = bench.cleans_up().await?;
        assert_eq!(cleaned.contains(&StepKind::DeleteTemplate), may_be_there, "{failing}: {cleaned:?}");
        assert!(cleaned.contains(&StepKind::WaitGone), "{failing}: {cleaned:?}");
        assert_eq!(bench.template(made.id).await?.state, TemplateState::Gone, "{failing}");
        bench.looked_at(&["app-1.0", &made.name]).await?;
        assert_eq!(bench.template(made.id).await?.state, TemplateState::Gone, "what was given up does not come back");
    }
    // What passes is tried again.
    let (made, _) = bench.begin().await?;
    for step in steps() {
        let task = bench.claim(*step).await?;
        assert!(bench.worker.finish(task, badly(StepErrorReason::Unreachable)).await?);
        bench.app().retry_task(task.id).await?;
        bench.end(*step).await?;
    }
    assert_eq!(bench.template(made.id).await?.state, TemplateState::Ready);
    assert_eq!(bench.template(bench.parent).await?.preparation.failures, 0, "it went well in the end");
    Ok(())
}

async fn what_is_told_twice_is_done_once(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    let (made, workflow) = bench.begin().await?;
    for step in steps() {
        let task = bench.claim(*step).await?;
        assert!(bench.worker.finish(task, done(*step)).await?);
        let after = (bench.template(made.id).await?, bench.workshop(made.id).await?);
        for outcome in [done(*step), badly(StepErrorReason::Invalid)] {
            assert!(!bench.worker.finish(task, outcome).await?, "{step} was taken twice");
        }
        assert_eq!((bench.template(made.id).await?, bench.workshop(made.id).await?), after, "{step} counted twice");
    }
    assert_eq!(bench.ended(workflow).await?, WorkflowState::Succeeded);
    bench.cleans_up().await?;
    assert_eq!(bench.template(made.id).await?.state, TemplateState::Ready);
    Ok(())
}

async fn what_a_lost_worker_had_is_done_by_the_next(db: TestDatabase) -> anyhow::Result<()> {
    let mut bench = bench(db).await?;
    let (made, workflow) = bench.begin().await?;
    for step in steps() {
        let lost = bench.claim(*step).await?;
        // It is back, and knows nothing of what it had.
        let dead = std::mem::replace(&mut bench.worker, bench.world.worker("w", &[]).await?);
        let again = bench.claim(*step).await?;
        assert!(again.id == lost.id && again.epoch > lost.epoch, "{step}");
        let before = bench.workshop(made.id).await?;
        for outcome in [done(*step), badly(StepErrorReason::Invalid)] {
            assert!(!dead.finish(lost, outcome).await?, "{step} of a dead worker counted");
        }
        assert_eq!(bench.workshop(made.id).await?, before, "{step}");
        assert!(bench.worker.finish(again, done(*step)).await?);
    }
    assert_eq!(bench.ended(workflow).await?, WorkflowState::Succeeded);
    assert_eq!(bench.template(made.id).await?.state, TemplateState::Ready);
    Ok(())
}

async fn what_is_ended_by_request_or_late_leaves_nothing(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    for (n, at) in [(0, StepKind::Clone), (7, StepKind::Configure), (10, StepKind::MakeTemplate)] {
        for late in [false, true] {
            let (made, workflow) = bench.begin().await?;
            for step in &steps()[..n] {
                bench.end(*step).await?;
            }
            let task = bench.claim(at).await?;
            if late {
                bench
                    .world
                    .database
                    .execute("update workflows set late_at = created_at where kind = 'prepare'")
                    .await?;
                bench.app().deal_with_late().await?;
                assert_eq!(bench.ended(workflow).await?, WorkflowState::Failed);
                assert!(bench.template(bench.parent).await?.preparation.error.contains("not done after"));
            } else {
                bench.app().cancel_workflow(workflow).await?;
                assert_eq!(bench.ended(workflow).await?, WorkflowState::Cancelled);
            }
            assert!(bench.worker.claim().await?.is_empty(), "the step that is under way ends first");
            // It went well after all, and counts for nothing.
            assert!(bench.worker.finish(task, done(at)).await?);
            let cleaned = bench.cleans_up().await?;
            assert!(cleaned.contains(&StepKind::WaitGone), "{cleaned:?}");
            assert_eq!(cleaned.contains(&StepKind::DeleteTemplate), at == StepKind::MakeTemplate, "{cleaned:?}");
            assert_eq!(bench.template(made.id).await?.state, TemplateState::Gone);
        }
    }
    // With the template that it is made of it ends, too.
    let (made, _) = bench.begin().await?;
    bench.end(StepKind::Clone).await?;
    bench.app().delete_template(&bench.staff, bench.parent).await?;
    assert_eq!(bench.template(made.id).await?.state, TemplateState::Gone);
    bench.cleans_up().await?;
    assert_eq!(bench.template(bench.parent).await?.state, TemplateState::Gone);
    Ok(())
}

async fn another_version_inside_is_told_and_a_suffix_corrects_the_record(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    let verify = steps().iter().position(|step| *step == StepKind::VerifyVersion).unwrap();
    let told = async |state: &str| -> anyhow::Result<bool> {
        let mut tx = bench.world.database.store().read().await?;
        let events = tx.events_after(0, &EventFilter::default(), 10_000).await?;
        let fits = |event: &sprout_domain::event::Event| {
            event.fact.kind == EventKind::TemplateVersion && event.fact.state.as_deref() == Some(state)
        };
        Ok(events.iter().any(fits))
    };
    for (printed, state) in [("1.1", "mismatch"), ("1.0-rc1", "corrected")] {
        let (made, workflow) = bench.begin().await?;
        for step in &steps()[..verify] {
            bench.end(*step).await?;
        }
        let task = bench.claim(StepKind::VerifyVersion).await?;
        assert!(bench.worker.finish(task, Ok(StepOutput::Version(printed.to_owned()))).await?);
        assert!(told(state).await?, "{state}");
        let parent = bench.template(bench.parent).await?;
        assert_eq!(parent.verified_version, printed);
        if state == "mismatch" {
            assert_eq!((bench.ended(workflow).await?, parent.version), (WorkflowState::Failed, Version::new("1.0")));
            bench.cleans_up().await?;
            continue;
        }
        assert_eq!(
            (parent.version, bench.template(made.id).await?.version),
            (Version::new(printed), Version::new(printed))
        );
        for step in &steps()[verify + 1..] {
            bench.end(*step).await?;
        }
        bench.cleans_up().await?;
        bench.looked_at(&["app-1.0", &made.name]).await?;
        let kept = [bench.template(bench.parent).await?.version, bench.template(made.id).await?.version];
        assert_eq!(kept, [Version::new(printed), Version::new(printed)], "its name does not know better");
    }
    Ok(())
}

async fn the_service_prepares_the_newest_first_and_no_more_than_it_may(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    let date = |day: &str| day.parse::<sprout_domain::template::BuildDate>().unwrap();
    let found = |version: &str, day: &str| FoundTemplate {
        name: format!("app-{version}"),
        group: "app".into(),
        version: Version::new(version),
        date: date(day),
        said: Said::default(),
    };
    let mut tx = bench.world.database.store().write().await?;
    tx.sync_templates(
        &"lab".into(),
        &[found("1.0", "2026-01-01"), found("1.2", "2026-01-03"), found("1.1", "2026-01-02")],
    )
    .await?;
    tx.mark_unconfigured(&"lab".into(), &["app".into()]).await?;
    tx.commit().await?;
    for (version, day) in [("1.2", "2026-01-03"), ("1.1", "2026-01-02")] {
        assert!(bench.app().prepare_due_templates().await?.starts_with("1 templates"));
        assert!(bench.app().prepare_due_templates().await?.starts_with("0 templates"), "no more than one at a time");
        let claimed = bench.worker.claim().await?;
        // One by hand waits its turn.
        let (waiting, _) = bench.begin().await?;
        assert!(bench.worker.claim().await?.is_empty(), "one slot for two");
        let appliance = claimed[0].appliance.clone().unwrap();
        assert_eq!((appliance.version, appliance.date), (Version::new(version), date(day)));
        bench.app().cancel_workflow(bench.app().preparations(&[waiting.id]).await?[0].workflow_id).await?;
        assert!(bench.worker.finish(key(&claimed[0]), done(StepKind::Clone)).await?);
        for step in &steps()[1..] {
            let task = bench.claim(*step).await?;
            let inside = || Ok(StepOutput::Version(version.to_owned()));
            let outcome = if *step == StepKind::VerifyVersion { inside() } else { done(*step) };
            assert!(bench.worker.finish(task, outcome).await?);
        }
        bench.cleans_up().await?;
    }
    // What failed waits, and what was prepared is not prepared again.
    let (_, _) = bench.begin().await?;
    let task = bench.claim(StepKind::Clone).await?;
    assert!(bench.worker.finish(task, badly(StepErrorReason::Invalid)).await?);
    bench.cleans_up().await?;
    assert!(bench.app().prepare_due_templates().await?.starts_with("0 templates"));
    bench
        .world
        .database
        .execute("update templates set prepare_after = found_at where prepare_after is not null")
        .await?;
    assert!(bench.app().prepare_due_templates().await?.starts_with("1 templates"));
    Ok(())
}

async fn what_cannot_be_prepared_is_refused(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    let refused = async |id: TemplateId| bench.app().prepare_template(&bench.staff, id).await.unwrap_err().reason;
    assert_eq!(refused(TemplateId(999_999)).await, Reason::TemplateNotFound);
    let (made, _) = bench.begin().await?;
    assert_eq!(refused(made.id).await, Reason::WrongState, "what is being made");
    for step in steps() {
        bench.end(*step).await?;
    }
    assert_eq!(refused(made.id).await, Reason::WrongState, "what was prepared");
    bench.cleans_up().await?;
    assert!(!bench.appliances().await?.iter().any(|appliance| appliance.prepares.is_some()));

    let mut tx = bench.world.database.store().write().await?;
    tx.set_capabilities(&"lab".into(), &[Capability::Power].into()).await?;
    tx.commit().await?;
    assert_eq!(refused(bench.parent).await, Reason::Unsupported);
    let mut tx = bench.world.database.store().write().await?;
    tx.set_capabilities(&"lab".into(), &Capability::ALL.into()).await?;
    tx.commit().await?;
    let mut without = (*bench.app().catalogue()).clone();
    for group in without.groups.values_mut() {
        group.preparation = Preparation::default();
    }
    let plain = server(&bench.world.database, without).await?;
    let says_nothing = plain.prepare_template(&bench.staff, bench.parent).await.unwrap_err();
    assert_eq!(says_nothing.reason, Reason::WrongState);
    let mut never = (*bench.app().catalogue()).clone();
    for provider in never.providers.values_mut() {
        provider.configuring_limit = 0;
    }
    let never = server(&bench.world.database, never).await?;
    assert_eq!(never.prepare_template(&bench.staff, bench.parent).await.unwrap_err().reason, Reason::WrongState);
    assert!(bench.appliances().await?.is_empty(), "nothing was begun");
    Ok(())
}

async fn who_waits_goes_first(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    bench.begin().await?;
    let request = PoolRequest { unconfigured: true, ..PoolRequest::new("r", "app", 1) };
    let pool = bench.world.app.request_pool(&bench.world.user, request).await?.view.pool.id;
    bench.app().place_waiting().await?;
    let claimed = bench.worker.claim().await?;
    let kinds: Vec<_> = claimed.iter().map(|assignment| assignment.task.workflow).collect();
    assert_eq!(kinds, [WorkflowKind::Deploy, WorkflowKind::Prepare]);
    let ready: Vec<ApplianceId> = bench.world.pool(pool).await?.appliances.iter().map(|a| a.id).collect();
    assert_eq!(ready.len(), 1);
    let pools = bench.app().pools(&bench.staff, PoolFilter::default(), Page { before: None, limit: 9 }).await?;
    assert_eq!(pools.len(), 1, "an appliance that becomes a template is in no pool");
    Ok(())
}

/// An index that says this; nothing: it cannot be read.
#[derive(Debug)]
struct Told(Option<&'static str>);

#[async_trait::async_trait]
impl BuildIndex for Told {
    async fn read(&self, url: &str) -> Result<String, String> {
        self.0.map(str::to_owned).ok_or_else(|| format!("{url} cannot be read"))
    }
}

async fn builds_are_pulled_by_templates_of_their_own(db: TestDatabase) -> anyhow::Result<()> {
    let mut bench = bench(db).await?;
    let mut catalogue = (*bench.app().catalogue()).clone();
    for group in catalogue.groups.values_mut() {
        group.preparation.builds = Some(BuildSource {
            url: "https://builds.example/".to_owned(),
            pattern: TemplatePattern::new(r"app-(?<version>[0-9.]+)-(?<date>\d{8})")?,
            image: "registry.example/{name}".to_owned(),
        });
        group.template_obsolete_days = Some(100_000);
    }
    for provider in catalogue.providers.values_mut() {
        provider.container_base_template = Some("docker-host".to_owned());
    }
    bench.world.app = server(&bench.world.database, catalogue).await?;
    bench.worker = bench.world.worker("w", &[]).await?;
    let unread = bench.app().prepare_builds(&Told(None)).await?;
    assert!(unread.contains("0 builds are told") && unread.contains("cannot be read"), "{unread}");
    let index = Told(Some("app-2.0-20260101\napp-2.1-20260201\napp-0.1-17000101\nother"));
    assert!(bench.app().prepare_builds(&index).await?.starts_with("3 builds are told, 1 templates"));
    assert!(bench.app().prepare_builds(&index).await?.contains("0 templates"), "no more than one at a time");
    let claimed = bench.worker.claim().await?;
    let (appliance, made) = (claimed[0].appliance.clone().unwrap(), claimed[0].made.clone().unwrap());
    assert_eq!(
        (appliance.template.as_str(), made.build.as_str()),
        ("docker-host", "registry.example/app-2.1-20260201")
    );
    assert_eq!((made.template_type, made.version.clone()), (TemplateType::DockerVm, Version::new("2.1")));
    assert!(bench.worker.finish(key(&claimed[0]), done(StepKind::Clone)).await?);
    for step in &steps()[1..] {
        let task = bench.claim(*step).await?;
        let nothing = || Ok(StepOutput::Version(String::new()));
        let outcome = if *step == StepKind::VerifyVersion { nothing() } else { done(*step) };
        assert!(bench.worker.finish(task, outcome).await?);
    }
    bench.cleans_up().await?;
    bench.looked_at(&["app-1.0", &made.name]).await?;
    assert_eq!(bench.template(made.id).await?.state, TemplateState::Ready);

    // The next one fails, and is left alone for a while; what is too old is left out.
    assert!(bench.app().prepare_builds(&index).await?.contains("1 templates"));
    let task = bench.claim(StepKind::Clone).await?;
    assert!(bench.worker.finish(task, badly(StepErrorReason::TemplateNotFound)).await?);
    bench.cleans_up().await?;
    assert!(bench.app().prepare_builds(&index).await?.contains("0 templates"));
    bench
        .world
        .database
        .execute("update templates set found_at = '2020-01-01T00:00:00.000000+00:00' where build <> ''")
        .await?;
    assert!(bench.app().prepare_builds(&index).await?.contains("1 templates"), "and tried again");
    Ok(())
}

async fn what_is_to_be_updated_is_deployed_and_updated_before_it_is_ready(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    let mut tx = bench.world.database.store().write().await?;
    tx.mark_unconfigured(&"lab".into(), &[]).await?;
    tx.commit().await?;
    bench.world.warm(1).await?;
    let request = |id: &str| PoolRequest { update: true, ..PoolRequest::new(id, "app", 1) };
    let view = bench.world.app.request_pool(&bench.world.user, request("r")).await?.view;
    assert!(view.pool.update && view.appliances.iter().all(|a| a.state == ApplianceState::Requested), "none is warm");
    bench.app().place_waiting().await?;
    for step in WorkflowKind::DeployUpdated.steps() {
        bench.app().place_waiting().await?;
        let claimed = bench.worker.claim().await?;
        assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [*step]);
        assert_eq!(claimed[0].preparation.as_ref().map(|done| done.update.len()), Some(1));
        let appliance = claimed[0].appliance.clone().unwrap();
        assert_ne!(appliance.state, ApplianceState::Ready, "before {step}");
        assert!(bench.worker.finish(key(&claimed[0]), done(*step)).await?);
    }
    let view = bench.world.pool(view.pool.id).await?;
    assert_eq!((view.pool.state, view.appliances[0].state), (PoolState::Ready, ApplianceState::Ready));
    assert_eq!(view.appliances[0].host_key.as_deref(), Some("ssh-ed25519 AAAA"));

    // What can never be updated is not tried again.
    let pool = bench.world.app.request_pool(&bench.world.user, request("s")).await?.view.pool.id;
    for step in [
        StepKind::Clone,
        StepKind::WaitPresent,
        StepKind::Tag,
        StepKind::Start,
        StepKind::WaitAddress,
        StepKind::WaitSsh,
    ] {
        bench.end(step).await?;
    }
    let task = bench.claim(StepKind::Update).await?;
    assert!(bench.worker.finish(task, badly(StepErrorReason::AccessDenied)).await?);
    bench.worker.work().await?;
    assert_eq!(bench.world.pool(pool).await?.pool.state, PoolState::Failed);

    let mut without = (*bench.app().catalogue()).clone();
    for group in without.groups.values_mut() {
        group.preparation.update.clear();
    }
    let plain = server(&bench.world.database, without).await?;
    let refused = plain.request_pool(&bench.world.user, request("t")).await.unwrap_err();
    assert_eq!(refused.reason, Reason::InvalidArgument);
    Ok(())
}

async fn what_was_made_of_a_template_may_be_used_as_that_one_may(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    bench.world.add_source().await?;
    let says = Says::default();
    let minute = Duration::from_secs(60);
    let sync = async |listed: &[(&str, bool)]| {
        says.lists(listed);
        bench.app().sync_catalogues(&says, true).await
    };
    sync(&[("app-1.0", true)]).await?;
    let (made, _) = bench.begin().await?;
    let (last, first) = steps().split_last().unwrap();
    for step in first {
        bench.end(*step).await?;
    }
    // While it is made, what it is made of may be used no more.
    sync(&[("app-1.0", false)]).await?;
    bench.end(*last).await?;
    bench.cleans_up().await?;
    let why = async || anyhow::Ok(bench.template(made.id).await?.said.unusable);
    let not = "catalogue bot says that it is not usable";
    assert_eq!(why().await?, not);
    assert_eq!(bench.world.request(1, minute).await.unwrap_err().reason, Reason::NoTemplate);

    // Warm ones of it come and go with it.
    sync(&[("app-1.0", true)]).await?;
    assert_eq!(why().await?, "");
    let one = WantedShepherd { group: "app".into(), user_group: None, preconfigured: 1, unconfigured: 0, demand: None };
    bench.app().set_shepherd(&bench.staff, one).await?;
    bench.app().refill_warm().await?;
    bench.worker.work().await?;
    let states = async || {
        let found = bench.appliances().await?;
        anyhow::Ok(found.iter().map(|appliance| (appliance.template_id, appliance.state)).collect::<Vec<_>>())
    };
    assert_eq!(states().await?, [(made.id, ApplianceState::Ready)]);
    sync(&[("app-1.0", false)]).await?;
    bench.app().refill_warm().await?;
    assert_eq!(states().await?, [(made.id, ApplianceState::Killing)]);
    bench.cleans_up().await?;

    // A look at the provider changes nothing of that, also where what it was made of is there no more; nor does that end what the catalogue says.
    for listed in [&["app-1.0", &made.name][..], &[&made.name]] {
        bench.looked_at(listed).await?;
        assert_eq!(why().await?, not, "{listed:?}");
    }
    assert_eq!(bench.template(bench.parent).await?.state, TemplateState::Gone);
    sync(&[("app-1.0", true)]).await?;
    assert_eq!(why().await?, "");
    // Its provider is looked at: what is listed is there no more.
    bench.looked_at(&[&made.name]).await?;
    sync(&[]).await?;
    assert_eq!(why().await?, "catalogue bot does not list it");

    // Without a catalogue, what is there is used.
    let mut catalogue = (*bench.app().catalogue()).clone();
    catalogue.sources.clear();
    bench.app().set_catalogue(catalogue).await?;
    bench.looked_at(&[&made.name]).await?;
    assert_eq!(why().await?, "");
    bench.world.request(1, minute).await?;
    Ok(())
}
