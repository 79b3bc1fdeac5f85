//! Providers and templates that fail: what opens a circuit or quarantines a template, who tries again, and what ends it.

use std::{collections::BTreeSet, time::Duration};

use sprout_app::ports::{ApplianceFilter, EventFilter, Page, Store as _, TemplateFilter};
use sprout_domain::{
    Reason, TemplateId,
    appliance::{Appliance, ApplianceState},
    event::EventKind,
    provider::{Circuit, CircuitState, Totals},
    template::TemplateState,
    workflow::{StepErrorReason, StepKind, StepOutput},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{Worker, World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    a_provider_that_fails_again_and_again_is_not_used,
    a_half_open_circuit_lets_exactly_one_deployment_through,
    what_fails_again_opens_it_again,
    staff_close_a_circuit,
    a_success_in_between_counts_from_the_beginning,
    a_template_that_fails_again_and_again_is_quarantined_with_one_specimen,
    a_single_deployment_for_nobody_heals_a_template,
    staff_release_a_template,
    an_appliance_of_unusual_size_says_nothing_of_its_template,
    a_provider_that_is_switched_off_is_not_used,
);

impl World {
    async fn circuit(&self) -> anyhow::Result<Circuit> {
        Ok(self.app.all_providers().await?.remove(0).circuit)
    }

    /// Makes the next tries due.
    async fn make_due(&self) -> anyhow::Result<()> {
        let mut tx = self.database.store().write().await?;
        let due = Some(tx.now() - chrono::TimeDelta::seconds(1));
        let circuit = tx.lock_circuit(&"lab".into()).await?.unwrap();
        if circuit.state != CircuitState::Closed {
            tx.set_circuit(&"lab".into(), &Circuit { next_try_at: due, ..circuit }).await?;
        }
        for template in tx.templates(&TemplateFilter { with_gone: true, ..TemplateFilter::default() }).await? {
            let (_, mut trial) = tx.lock_trial(template.id).await?.unwrap();
            if trial.state == TemplateState::Quarantined {
                trial.next_try_at = due;
                tx.set_trial(template.id, &trial).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// A request whose deployment fails at its first step.
    async fn fails(&self, worker: &Worker, reason: StepErrorReason) -> anyhow::Result<()> {
        self.request(1, HOUR).await?;
        fail_next(worker, reason).await
    }

    async fn opened(&self) -> anyhow::Result<Worker> {
        let worker = self.worker("w", &[]).await?;
        for _ in 0..5 {
            self.fails(&worker, StepErrorReason::AccessDenied).await?;
        }
        Ok(worker)
    }

    async fn quarantined(&self) -> anyhow::Result<(Worker, TemplateId)> {
        let worker = self.worker("w", &[]).await?;
        for _ in 0..3 {
            self.fails(&worker, StepErrorReason::TemplateNotFound).await?;
        }
        let mut tx = self.database.store().read().await?;
        let all = tx.templates(&TemplateFilter { with_gone: true, ..TemplateFilter::default() }).await?;
        Ok((worker, all[0].id))
    }

    async fn failed_appliances(&self) -> anyhow::Result<Vec<Appliance>> {
        let filter = ApplianceFilter { states: vec![ApplianceState::Failed], ..ApplianceFilter::default() };
        let mut tx = self.database.store().read().await?;
        Ok(tx.appliances(&filter, Page { before: None, limit: 99 }).await?)
    }

    /// What events of this kind said of states.
    async fn told(&self, kind: EventKind) -> anyhow::Result<Vec<String>> {
        let events = self.database.store().read().await?.events_after(0, &EventFilter::default(), 9999).await?;
        Ok(events.into_iter().filter(|event| event.fact.kind == kind).filter_map(|event| event.fact.state).collect())
    }
}

/// Lets the next clone fail, and does what follows.
async fn fail_next(worker: &Worker, reason: StepErrorReason) -> anyhow::Result<()> {
    let claimed = worker.claim().await?;
    assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [StepKind::Clone]);
    assert!(worker.finish(key(&claimed[0]), badly(reason)).await?);
    worker.work().await?;
    Ok(())
}

/// Takes the check that waits, and says how it went.
async fn check(worker: &Worker, works: bool) -> anyhow::Result<()> {
    let claimed = worker.claim().await?;
    assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [StepKind::CheckProvider]);
    let seen = StepOutput::Provider {
        version: "1".to_owned(),
        templates: vec!["app-1.0".to_owned()],
        capabilities: BTreeSet::default(),
        totals: Totals::default(),
    };
    let outcome = if works { Ok(seen) } else { badly(StepErrorReason::Unreachable) };
    assert!(worker.finish(key(&claimed[0]), outcome).await?);
    Ok(())
}

async fn a_provider_that_fails_again_and_again_is_not_used(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.opened().await?;
    let circuit = world.circuit().await?;
    assert_eq!((circuit.state, circuit.failures, circuit.openings), (CircuitState::Open, 5, 1));
    assert!(circuit.reason.contains("as the test wants"), "{}", circuit.reason);
    assert!(circuit.next_try_at.is_some());
    assert_eq!(world.told(EventKind::ProviderCircuit).await?, ["open"]);
    world.request(1, HOUR).await?;
    assert!(worker.claim().await?.is_empty(), "nothing is deployed there");
    let wait = world.app.try_again().await?.unwrap();
    assert!(wait > Duration::from_secs(30) && wait <= Duration::from_secs(60), "{wait:?}");
    assert!(worker.claim().await?.is_empty(), "it is not due yet");
    Ok(())
}

async fn a_half_open_circuit_lets_exactly_one_deployment_through(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.opened().await?;
    world.request(3, HOUR).await?;
    world.make_due().await?;
    let (one, other) = tokio::join!(world.app.try_again(), world.app.try_again());
    one?;
    other?;
    assert_eq!(world.circuit().await?.state, CircuitState::HalfOpen);
    check(&worker, true).await?;
    let (one, other) = tokio::join!(world.app.place_waiting(), world.app.place_waiting());
    one?;
    other?;

    let second = world.worker("v", &[]).await?;
    let (one, other) = tokio::join!(worker.claim(), second.claim());
    let (one, other) = (one?, other?);
    assert_eq!(one.len() + other.len(), 1, "however many ask");
    let (who, task) = if one.is_empty() { (&second, &other[0]) } else { (&worker, &one[0]) };
    assert!(who.finish(key(task), well(StepKind::Clone)).await?);
    assert_eq!(who.work().await?.last(), Some(&StepKind::WaitReady));
    world.app.place_waiting().await?;
    let steps = who.work().await?;
    assert_eq!(steps.iter().filter(|step| **step == StepKind::WaitReady).count(), 2, "the rest followed");
    assert_eq!(world.circuit().await?, Circuit::closed());
    assert_eq!(world.told(EventKind::ProviderCircuit).await?, ["open", "half_open", "half_open", "closed"]);
    Ok(())
}

async fn what_fails_again_opens_it_again(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.opened().await?;
    world.make_due().await?;
    world.app.try_again().await?;
    check(&worker, false).await?;
    let circuit = world.circuit().await?;
    assert_eq!((circuit.state, circuit.openings), (CircuitState::Open, 2));
    world.make_due().await?;
    world.app.try_again().await?;
    check(&worker, true).await?;
    world.fails(&worker, StepErrorReason::AccessDenied).await?;
    let circuit = world.circuit().await?;
    assert_eq!((circuit.state, circuit.openings), (CircuitState::Open, 3));
    let wait = world.app.try_again().await?.unwrap();
    assert!(wait > Duration::from_secs(120), "{wait:?}");
    Ok(())
}

async fn staff_close_a_circuit(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.opened().await?;
    let closed = world.app.close_circuit(&world.user, &"lab".into()).await?;
    assert_eq!(closed.circuit, Circuit::closed());
    world.request(1, HOUR).await?;
    assert_eq!(worker.work().await?.len(), 6);
    let unknown = world.app.close_circuit(&world.user, &"nowhere".into()).await.unwrap_err();
    assert_eq!(unknown.reason, Reason::ProviderNotFound);
    Ok(())
}

async fn a_success_in_between_counts_from_the_beginning(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    for _ in 0..2 {
        for _ in 0..4 {
            world.fails(&worker, StepErrorReason::AccessDenied).await?;
        }
        assert_eq!(world.circuit().await?.failures, 4);
        world.request(1, HOUR).await?;
        worker.work().await?;
        assert_eq!(world.circuit().await?, Circuit::closed());
    }
    Ok(())
}

async fn a_template_that_fails_again_and_again_is_quarantined_with_one_specimen(
    db: TestDatabase,
) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (worker, id) = world.quarantined().await?;
    let template = world.app.template(&world.user, id).await?;
    assert_eq!((template.state, template.failure_count), (TemplateState::Quarantined, 3));
    let kept = world.failed_appliances().await?;
    assert_eq!((kept.len(), kept[0].pool_id), (1, None));
    assert_eq!(template.specimen_id, Some(kept[0].id));
    assert_eq!(world.told(EventKind::TemplateState).await?, ["quarantined"]);
    assert_eq!(world.circuit().await?.failures, 0, "the provider is not to blame");
    assert_eq!(world.request(1, HOUR).await.unwrap_err().reason, Reason::NoTemplate);
    world.app.check_provider(&"lab".into()).await?;
    check(&worker, true).await?;
    let template = world.app.template(&world.user, id).await?;
    assert_eq!(template.state, TemplateState::Quarantined, "a check does not release it");
    world.app.try_again().await?;
    assert_eq!(world.failed_appliances().await?.len(), 1, "the specimen stays");
    Ok(())
}

async fn a_single_deployment_for_nobody_heals_a_template(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (worker, id) = world.quarantined().await?;
    let first = world.failed_appliances().await?[0].id;
    world.make_due().await?;
    world.app.try_again().await?;
    world.make_due().await?;
    world.app.try_again().await?;
    fail_next(&worker, StepErrorReason::ApplianceBroken).await?;
    world.app.try_again().await?;
    worker.work().await?;
    let kept = world.failed_appliances().await?;
    assert_eq!(kept.len(), 1);
    assert_ne!(kept[0].id, first, "the newest one is kept");

    world.make_due().await?;
    world.app.try_again().await?;
    assert_eq!(worker.work().await?.len(), 6);
    let healed = world.app.template(&world.user, id).await?;
    assert_eq!((healed.state, healed.failure_count, healed.specimen_id), (TemplateState::Ready, 0, None));
    assert!(world.app.try_again().await?.is_none());
    worker.work().await?;
    assert!(world.failed_appliances().await?.is_empty());
    assert_eq!(world.told(EventKind::TemplateState).await?, ["quarantined", "ready"]);
    let pool = world.request(1, HOUR).await?;
    assert_eq!(world.pool(pool).await?.appliances[0].state, ApplianceState::Ready, "what healed it is warm");
    Ok(())
}

async fn staff_release_a_template(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let (worker, id) = world.quarantined().await?;
    assert_eq!(world.app.release_template(&world.user, id).await?.state, TemplateState::Ready);
    world.app.try_again().await?;
    worker.work().await?;
    assert!(world.failed_appliances().await?.is_empty());
    let unknown = world.app.release_template(&world.user, TemplateId(999)).await.unwrap_err();
    assert_eq!(unknown.reason, Reason::TemplateNotFound);
    Ok(())
}

async fn an_appliance_of_unusual_size_says_nothing_of_its_template(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let mut tx = world.database.store().write().await?;
    let template = tx.templates(&TemplateFilter::default()).await?.remove(0).id;
    drop(tx);
    for n in 0..4 {
        let mut request = sprout_domain::pool::PoolRequest::new(format!("small-{n}"), "app", 1);
        request.memory_mib = Some(64);
        let mut superuser = world.user.clone();
        superuser.role = sprout_domain::user::Role::Superuser;
        world.app.request_pool(&superuser, request).await?;
        fail_next(&worker, StepErrorReason::TemplateNotFound).await?;
    }
    assert_eq!(world.app.template(&world.user, template).await?.failure_count, 0);
    Ok(())
}

async fn a_provider_that_is_switched_off_is_not_used(db: TestDatabase) -> anyhow::Result<()> {
    let world = World::new(db).await?;
    let off = world.app.switch_provider(&world.user, &"lab".into(), Some(true), None).await?;
    assert!(off.is_disabled());
    assert_eq!(world.request(1, HOUR).await.unwrap_err().reason, Reason::ProviderNotUsable);
    world.app.switch_provider(&world.user, &"lab".into(), Some(true), None).await?;
    world.app.switch_provider(&world.user, &"lab".into(), Some(false), None).await?;
    assert_eq!(world.told(EventKind::ProviderChanged).await?, ["disabled", "enabled"], "once each");
    world.request(1, HOUR).await?;
    Ok(())
}
