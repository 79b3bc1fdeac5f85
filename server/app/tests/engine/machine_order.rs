//! What staff have done to machines that are no appliances: who may, what is refused, what becomes of it in between, and that it is done once.

use sprout_app::ports::Store as _;
use sprout_domain::{
    ApplianceId, Reason, Secret, WorkflowId,
    appliance::PowerState,
    machine::{
        MachineKind, Marks,
        order::{Order, Target},
    },
    operation::{Capability, Operation},
    user::{Role, User},
    workflow::{StepErrorReason, StepKind, StepOutput, Subject, TaskState, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::{
    refresh::{Lab, listed, shown},
    world::{badly, key, well},
};

on_each_database!(
    a_leak_is_deleted_by_staff_at_once,
    what_is_not_ours_is_deleted_by_a_superuser_who_names_it,
    what_is_an_appliances_or_unknown_is_refused,
    what_becomes_an_appliances_is_not_touched,
    a_deletion_whose_worker_died_goes_on_and_what_is_absent_is_done,
    what_is_no_appliance_is_switched,
);

impl Lab {
    async fn staff(&self) -> anyhow::Result<User> {
        Ok(self.world.app.create_user("stan", Secret::new("correct horse"), Role::Staff).await?)
    }

    async fn order(&self, caller: &User, name: &str, order: Order) -> sprout_domain::Result<WorkflowId> {
        let confirm = if order == Order::Delete { name } else { "" };
        self.world.app.order(caller, &"lab".into(), name, order, confirm).await
    }

    async fn state(&self, id: WorkflowId) -> anyhow::Result<(WorkflowState, String)> {
        let (workflow, _) = self.world.app.workflow(id).await?;
        Ok((workflow.state, workflow.error))
    }

    async fn refused(&self, caller: &User, name: &str, order: Order) -> sprout_domain::Error {
        self.order(caller, name, order).await.unwrap_err()
    }
}

fn target(name: &str, tag: Option<ApplianceId>) -> Subject {
    Subject::Machine(Target { provider: "lab".into(), name: name.to_owned(), tag })
}

fn deleted(name: &str, problem: Option<&str>) -> StepOutput {
    StepOutput::Deleted(vec![(name.to_owned(), problem.map(str::to_owned))])
}

async fn a_leak_is_deleted_by_staff_at_once(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (pool, dead) = lab.ready().await?;
    lab.world.app.kill_pool(&lab.world.user, pool).await?;
    lab.worker.work().await?;
    // Seen once: the clean-up would wait for another listing.
    lab.list(&[shown(&dead)]).await?;
    let stan = lab.staff().await?;
    let refused = lab.refused(&lab.world.user, &dead.name, Order::Delete).await;
    assert_eq!(refused.reason, Reason::NotAllowed);
    let order = lab.world.app.order(&stan, &"lab".into(), &dead.name, Order::Delete, "").await?;
    assert_eq!(lab.order(&stan, &dead.name, Order::Delete).await?, order, "it is under way");
    let busy = lab.refused(&stan, &dead.name, Order::Stop).await;
    assert_eq!((busy.reason, busy.metadata), (Reason::Busy, vec![("workflow_id", order.to_string())]));
    let step = lab.worker.claim().await?.remove(0);
    assert_eq!((step.task.step, &step.task.subject), (StepKind::DeleteMachine, &target(&dead.name, Some(dead.id))));
    let cancelled = lab.world.app.cancel_workflow(order).await.unwrap_err();
    assert_eq!(cancelled.reason, Reason::WorkflowNotCancellable);
    assert!(lab.worker.finish(key(&step), Ok(deleted(&dead.name, None))).await?);
    assert_eq!(lab.state(order).await?.0, WorkflowState::Succeeded);
    assert_eq!(lab.kind(&dead.name).await?, None);
    assert_eq!(lab.refused(&stan, &dead.name, Order::Delete).await.reason, Reason::MachineNotFound);
    Ok(())
}

async fn what_is_not_ours_is_deleted_by_a_superuser_who_names_it(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let there = [listed("theirs", PowerState::On, Marks::None), listed("others", PowerState::On, Marks::Others)];
    lab.list(&there).await?;
    let (app, stan) = (&lab.world.app, lab.staff().await?);
    assert_eq!(lab.refused(&stan, "theirs", Order::Delete).await.reason, Reason::NotAllowed);
    for typed in ["", "their"] {
        let refused = app.order(&lab.boss, &"lab".into(), "theirs", Order::Delete, typed).await.unwrap_err();
        assert_eq!(
            (refused.reason, refused.metadata),
            (Reason::InvalidArgument, vec![("field", "confirm_name".to_owned())])
        );
    }
    assert_eq!(lab.refused(&lab.boss, "others", Order::Delete).await.reason, Reason::WrongState);
    assert!(lab.worker.claim().await?.is_empty(), "nothing half-done");
    // Nobody is at it yet: whoever changes their mind ends it.
    let regretted = lab.order(&lab.boss, "theirs", Order::Delete).await?;
    app.cancel_workflow(regretted).await?;
    assert!(lab.worker.claim().await?.is_empty());
    let order = lab.order(&lab.boss, "theirs", Order::Delete).await?;
    let step = lab.worker.claim().await?.remove(0);
    assert_eq!(step.task.subject, target("theirs", None));
    // What could not be deleted is tried again.
    assert!(lab.worker.finish(key(&step), Ok(deleted("theirs", Some("the disk is busy")))).await?);
    let task = app.task(step.task.id).await?;
    assert_eq!((task.state, task.error.as_str()), (TaskState::Retrying, "the disk is busy"));
    for attempt in 2..=5 {
        app.retry_task(step.task.id).await?;
        let again = lab.worker.claim().await?.remove(0);
        assert_eq!((again.task.subject.clone(), again.task.attempt), (target("theirs", None), attempt));
        assert!(lab.worker.finish(key(&again), badly(StepErrorReason::Unreachable)).await?);
    }
    assert_eq!(lab.state(order).await?, (WorkflowState::Failed, "as the test wants".to_owned()));
    assert_eq!(lab.kind("theirs").await?, Some(MachineKind::Untracked));
    assert_ne!(lab.order(&lab.boss, "theirs", Order::Delete).await?, order, "once more, by request");
    Ok(())
}

async fn what_is_an_appliances_or_unknown_is_refused(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (_, alive) = lab.ready().await?;
    let unlisted = lab.refused(&lab.boss, "theirs", Order::Delete).await;
    assert_eq!(unlisted.reason, Reason::WrongState, "{unlisted}");
    let named = lab.refused(&lab.boss, &alive.name, Order::Delete).await;
    assert!(named.message.contains(&format!("`sproutctl appliance kill {}`", alive.id)), "{named}");
    // Somebody renamed one on its provider: it is its owner's still.
    let renamed = listed("elsewhere", PowerState::On, Marks::Ours(alive.id));
    lab.list(&[shown(&alive), renamed, listed("theirs", PowerState::On, Marks::None)]).await?;
    for (name, order) in [(alive.name.as_str(), Order::Stop), ("elsewhere", Order::Start), ("elsewhere", Order::Delete)]
    {
        let refused = lab.refused(&lab.boss, name, order).await;
        let whose = vec![("appliance_id", alive.id.to_string())];
        assert_eq!((refused.reason, &refused.metadata), (Reason::WrongState, &whose), "{refused}");
    }
    assert_eq!(lab.refused(&lab.boss, "nothing", Order::Stop).await.reason, Reason::MachineNotFound);
    let nowhere = lab.world.app.order(&lab.boss, &"nowhere".into(), "theirs", Order::Stop, "").await.unwrap_err();
    assert_eq!(nowhere.reason, Reason::ProviderNotFound);
    assert!(lab.worker.claim().await?.is_empty());
    Ok(())
}

async fn what_becomes_an_appliances_is_not_touched(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (_, appliance) = lab.ready().await?;
    lab.list(&[shown(&appliance), listed("db-1", PowerState::On, Marks::None)]).await?;
    let mut tx = lab.world.database.store().write().await?;
    tx.set_capabilities(&"lab".into(), &[Capability::Rename].into()).await?;
    tx.commit().await?;
    let order = lab.order(&lab.boss, "db-1", Order::Delete).await?;
    let given = lab.worker.claim().await?.remove(0);
    // Its worker dies, and before another is given it an appliance is to be called so.
    lab.world.app.operate(&lab.world.user, appliance.id, Operation::Rename("db-1".to_owned())).await?;
    let back = lab.world.worker("w", &[]).await?;
    let claimed = back.claim().await?;
    assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [StepKind::Rename]);
    let (state, why) = lab.state(order).await?;
    assert_eq!(state, WorkflowState::Failed);
    assert!(why.contains(&format!("is, or is about to be, appliance {}", appliance.id)), "{why}");
    assert_eq!(lab.world.app.task(given.task.id).await?.state, TaskState::Failed);
    assert!(!lab.worker.finish(key(&given), Ok(deleted("db-1", None))).await?, "it is nobody's any more");
    assert_eq!(lab.kind("db-1").await?, Some(MachineKind::Untracked));
    assert!(back.finish(key(&claimed[0]), well(StepKind::Rename)).await?);
    assert!(back.claim().await?.is_empty());
    Ok(())
}

async fn a_deletion_whose_worker_died_goes_on_and_what_is_absent_is_done(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    lab.list(&[listed("theirs", PowerState::On, Marks::None)]).await?;
    let order = lab.order(&lab.boss, "theirs", Order::Delete).await?;
    let first = lab.worker.claim().await?.remove(0);
    // It is gone by then; nobody knows by whom, and the last listing does not say so.
    let back = lab.world.worker("w", &[]).await?;
    let second = back.claim().await?.remove(0);
    assert_eq!((second.task.id, second.task.epoch), (first.task.id, first.task.epoch + 1));
    assert_eq!(second.task.subject, first.task.subject);
    assert!(!lab.world.app.finish_task(&back.id, key(&first), badly(StepErrorReason::Deadline)).await?);
    // As sessions report, many together; again it changes nothing.
    let result = [(back.id.clone(), key(&second), Ok(deleted("theirs", None)))];
    assert_eq!(lab.world.app.finish_tasks(&result).await?, [true]);
    assert_eq!(lab.world.app.finish_tasks(&result).await?, [false]);
    assert_eq!(lab.state(order).await?.0, WorkflowState::Succeeded);
    assert_eq!(lab.kind("theirs").await?, None);
    Ok(())
}

async fn what_is_no_appliance_is_switched(db: TestDatabase) -> anyhow::Result<()> {
    let lab = Lab::new(db).await?;
    let (pool, dead) = lab.ready().await?;
    lab.world.app.kill_pool(&lab.world.user, pool).await?;
    lab.worker.work().await?;
    lab.list(&[shown(&dead), listed("theirs", PowerState::Off, Marks::None)]).await?;
    let stan = lab.staff().await?;
    assert_eq!(lab.refused(&stan, "theirs", Order::Start).await.reason, Reason::NotAllowed);
    let seen = |power| StepOutput::Observed {
        provider_ref: "ref".to_owned(),
        power,
        address: None,
        endpoints: Vec::new(),
        console_url: None,
    };
    for (caller, name, order, step, power) in [
        (&stan, dead.name.as_str(), Order::Stop, StepKind::Stop, PowerState::Off),
        (&lab.boss, "theirs", Order::Start, StepKind::Start, PowerState::On),
    ] {
        let order = lab.order(caller, name, order).await?;
        let given = lab.worker.claim().await?.remove(0);
        assert_eq!(given.task.step, step);
        assert!(lab.worker.finish(key(&given), Ok(seen(power))).await?);
        assert_eq!(lab.state(order).await?.0, WorkflowState::Succeeded);
        let machine = lab.machines().await?.into_iter().find(|machine| machine.name == name).unwrap();
        assert_eq!(machine.power, power, "{name}");
    }
    // What is absent cannot be started, and is off.
    for (order, state) in [(Order::Start, WorkflowState::Failed), (Order::Stop, WorkflowState::Succeeded)] {
        let order = lab.order(&lab.boss, "theirs", order).await?;
        let given = lab.worker.claim().await?.remove(0);
        assert!(lab.worker.finish(key(&given), badly(StepErrorReason::ApplianceNotFound)).await?);
        assert_eq!(lab.state(order).await?.0, state);
    }
    assert_eq!(lab.kind("theirs").await?, None);
    Ok(())
}
