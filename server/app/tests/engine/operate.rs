//! Operations on appliances: what they do to states, names and disks; what fails leaves the appliance and its pool as they are.

use std::{collections::BTreeSet, time::Duration};

use sprout_app::{
    Outcome,
    ports::{ApplianceChange, Page, Store as _, WorkflowFilter},
};
use sprout_domain::{
    ApplianceId, PoolId, Reason, Secret, WorkflowId,
    appliance::{Appliance, ApplianceState, PowerState},
    operation::{Capability, Operation},
    pool::PoolState,
    user::{Role, User},
    workflow::{StepErrorReason, StepKind, StepOutput, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use crate::world::{Worker, World, badly, key, well};

const HOUR: Duration = Duration::from_secs(3600);

on_each_database!(
    power_goes_off_and_on_again_and_the_pool_stays_ready,
    what_is_so_already_is_done_at_once,
    another_operation_is_refused_and_the_same_one_is_the_one_under_way,
    what_may_not_be_seen_cannot_be_operated,
    a_failed_operation_leaves_what_was_seen,
    a_failed_operation_on_a_warm_one_keeps_it_from_being_granted,
    a_name_is_reserved_and_given_and_free_again_when_its_owner_is_gone,
    a_refused_name_is_released_and_an_unsettled_one_is_not,
    there_is_one_disk,
    a_reset_deploys_anew_under_the_same_id,
    a_reset_waits_for_a_slot,
    a_reset_that_fails_leaves_nothing_behind_and_can_be_repeated,
    a_kill_ends_an_operation,
    a_cancelled_operation_leaves_what_was_seen,
    what_the_provider_cannot_do_is_refused,
    a_screen_is_shown_while_there_is_one,
);

struct Lab {
    world: World,
    worker: Worker,
    pool: PoolId,
    id: ApplianceId,
}

/// A pool with one ready appliance.
async fn lab(db: TestDatabase) -> anyhow::Result<Lab> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, HOUR).await?;
    worker.work().await?;
    let view = world.pool(pool).await?;
    assert_eq!(view.pool.state, PoolState::Ready);
    let id = view.appliances[0].id;
    Ok(Lab { world, worker, pool, id })
}

#[expect(clippy::unnecessary_wraps, reason = "what a worker answers")]
fn seen(power: PowerState) -> Outcome {
    let output = StepOutput::Observed {
        provider_ref: "ref".to_owned(),
        power,
        address: None,
        endpoints: Vec::new(),
        console_url: None,
    };
    Ok(output)
}

impl Lab {
    async fn appliance(&self) -> anyhow::Result<Appliance> {
        let mut tx = self.world.database.store().read().await?;
        Ok(tx.appliances_by_id(&[self.id]).await?.remove(0))
    }

    async fn state(&self) -> anyhow::Result<ApplianceState> {
        Ok(self.appliance().await?.state)
    }

    async fn begin(&self, operation: Operation) -> anyhow::Result<WorkflowId> {
        let (_, workflow) = self.world.app.operate(&self.world.user, self.id, operation).await?;
        workflow.ok_or_else(|| anyhow::anyhow!("there is nothing to do"))
    }

    async fn refused(&self, operation: Operation) -> Reason {
        self.world.app.operate(&self.world.user, self.id, operation).await.unwrap_err().reason
    }

    /// Takes the one step there is, and ends it.
    async fn step(&self, step: StepKind, outcome: Outcome) -> anyhow::Result<()> {
        let mut claimed = self.worker.claim().await?;
        assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [step]);
        assert!(self.worker.finish(key(&claimed.remove(0)), outcome).await?);
        Ok(())
    }

    async fn ended(&self, id: WorkflowId) -> anyhow::Result<WorkflowState> {
        Ok(self.world.app.workflow(id).await?.0.state)
    }

    async fn pool_state(&self) -> anyhow::Result<PoolState> {
        Ok(self.world.pool(self.pool).await?.pool.state)
    }

    async fn staff(&self) -> anyhow::Result<User> {
        Ok(self.world.app.create_user("boss", Secret::new("correct horse"), Role::Staff).await?)
    }
}

async fn power_goes_off_and_on_again_and_the_pool_stays_ready(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let stop = lab.begin(Operation::Stop).await?;
    assert_eq!(lab.state().await?, ApplianceState::Stopping);
    lab.step(StepKind::Stop, seen(PowerState::Off)).await?;
    let off = lab.appliance().await?;
    assert_eq!((off.state, off.power, off.address), (ApplianceState::Off, PowerState::Off, None));
    assert_eq!((lab.ended(stop).await?, lab.pool_state().await?), (WorkflowState::Succeeded, PoolState::Ready));
    assert!(off.leased_until.is_some(), "its lease goes on");

    lab.begin(Operation::Start).await?;
    lab.step(StepKind::Start, seen(PowerState::On)).await?;
    assert_eq!(lab.state().await?, ApplianceState::Starting);
    assert_eq!(lab.worker.work().await?, [StepKind::WaitAddress, StepKind::WaitReady]);
    let on = lab.appliance().await?;
    assert_eq!((on.state, on.power, on.address.as_deref()), (ApplianceState::Ready, PowerState::On, Some("192.0.2.1")));
    assert_eq!(on.leased_until, off.leased_until);

    lab.begin(Operation::Suspend).await?;
    assert_eq!(lab.state().await?, ApplianceState::Suspending);
    lab.step(StepKind::Suspend, seen(PowerState::Suspended)).await?;
    assert_eq!(lab.state().await?, ApplianceState::Suspended);
    lab.begin(Operation::Resume).await?;
    assert_eq!(lab.worker.work().await?, [StepKind::Resume, StepKind::WaitAddress, StepKind::WaitReady]);
    lab.begin(Operation::Reboot).await?;
    assert_eq!(lab.worker.work().await?, [StepKind::Reboot, StepKind::WaitAddress, StepKind::WaitReady]);
    assert_eq!((lab.state().await?, lab.pool_state().await?), (ApplianceState::Ready, PoolState::Ready));
    Ok(())
}

async fn what_is_so_already_is_done_at_once(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let name = lab.appliance().await?.name;
    for operation in [Operation::Start, Operation::Resume, Operation::DetachDisk, Operation::Rename(name)] {
        let (_, workflow) = lab.world.app.operate(&lab.world.user, lab.id, operation).await?;
        assert_eq!(workflow, None);
    }
    assert!(lab.worker.claim().await?.is_empty());
    Ok(())
}

async fn another_operation_is_refused_and_the_same_one_is_the_one_under_way(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let stop = lab.begin(Operation::Stop).await?;
    assert_eq!(lab.begin(Operation::Stop).await?, stop, "whose answer was lost asks again");
    let refused = lab.world.app.operate(&lab.world.user, lab.id, Operation::Reboot).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Busy);
    assert!(refused.metadata.contains(&("workflow_id", stop.to_string())), "{refused:?}");
    lab.worker.work().await?;
    assert_eq!(lab.refused(Operation::Reboot).await, Reason::WrongState, "it is off");

    lab.begin(Operation::Rename("db-1".to_owned())).await?;
    lab.begin(Operation::Rename("db-1".to_owned())).await?;
    assert_eq!(lab.refused(Operation::Rename("db-2".to_owned())).await, Reason::Busy);
    assert_eq!(lab.refused(Operation::Rename("db 2".to_owned())).await, Reason::InvalidArgument);
    assert_eq!(lab.worker.work().await?, [StepKind::Rename]);
    Ok(())
}

async fn what_may_not_be_seen_cannot_be_operated(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let other = lab.world.app.create_user("eve", Secret::new("correct horse"), Role::User).await?;
    let refused = lab.world.app.operate(&other, lab.id, Operation::Stop).await.unwrap_err();
    assert_eq!(refused.reason, Reason::ApplianceNotFound);
    assert_eq!(lab.world.app.console(&other, lab.id).await.unwrap_err().reason, Reason::ApplianceNotFound);
    assert_eq!(lab.state().await?, ApplianceState::Ready);
    let stop = lab.begin(Operation::Stop).await?;
    let hidden = lab.world.app.watch_workflow(&other, stop).await;
    assert_eq!(hidden.err().map(|error| error.reason), Some(Reason::WorkflowNotFound));
    lab.worker.work().await?;
    lab.world.app.operate(&lab.staff().await?, lab.id, Operation::Start).await?;
    Ok(())
}

async fn a_failed_operation_leaves_what_was_seen(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let stop = lab.begin(Operation::Stop).await?;
    lab.step(StepKind::Stop, badly(StepErrorReason::Invalid)).await?;
    assert_eq!(lab.ended(stop).await?, WorkflowState::Failed);
    let on = lab.appliance().await?;
    assert_eq!((on.state, on.proven_at), (ApplianceState::Ready, None));
    assert!(on.status.contains("stop failed: as the test wants"), "{}", on.status);

    lab.begin(Operation::Stop).await?;
    lab.step(StepKind::Stop, seen(PowerState::Off)).await?;
    lab.begin(Operation::Start).await?;
    lab.step(StepKind::Start, badly(StepErrorReason::ApplianceBroken)).await?;
    assert_eq!(lab.state().await?, ApplianceState::Off);
    lab.begin(Operation::Start).await?;
    lab.step(StepKind::Start, badly(StepErrorReason::ApplianceNotFound)).await?;
    assert_eq!(lab.state().await?, ApplianceState::Orphaned);
    assert_eq!(lab.pool_state().await?, PoolState::Ready, "nothing is killed or failed by that");
    let kills = WorkflowFilter { kind: Some(WorkflowKind::Kill), ..WorkflowFilter::default() };
    assert!(lab.world.app.workflows(&kills, Page { before: None, limit: 9 }).await?.is_empty());
    Ok(())
}

async fn a_failed_operation_on_a_warm_one_keeps_it_from_being_granted(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    lab.world.warm(1).await?;
    let boss = lab.staff().await?;
    let mut tx = lab.world.database.store().read().await?;
    let warm = tx.appliance(&sprout_app::ports::ApplianceBy::Name("warm-0".to_owned())).await?.unwrap().id;
    drop(tx);
    lab.world.app.operate(&boss, warm, Operation::Reboot).await?;
    lab.step(StepKind::Reboot, badly(StepErrorReason::Invalid)).await?;
    let mut tx = lab.world.database.store().read().await?;
    assert_eq!(tx.appliances_by_id(&[warm]).await?[0].state, ApplianceState::Failed);
    Ok(())
}

async fn a_name_is_reserved_and_given_and_free_again_when_its_owner_is_gone(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let rename = || Operation::Rename("db-1".to_owned());
    let other = lab.world.request(1, HOUR).await?;
    lab.worker.work().await?;
    let other = lab.world.pool(other).await?.appliances[0].id;
    let refused = async || lab.world.app.operate(&lab.world.user, other, rename()).await.unwrap_err().reason;

    lab.begin(rename()).await?;
    assert_eq!(refused().await, Reason::NameTaken, "it is reserved");
    lab.step(StepKind::Rename, seen(PowerState::On)).await?;
    let renamed = lab.appliance().await?;
    assert_eq!((renamed.name.as_str(), renamed.new_name, renamed.state), ("db-1", None, ApplianceState::Ready));
    assert_eq!(refused().await, Reason::NameTaken, "it is in use");
    lab.world.app.kill_appliance(&lab.world.user, lab.id).await?;
    lab.worker.work().await?;
    assert_eq!(lab.state().await?, ApplianceState::Gone);
    lab.world.app.operate(&lab.world.user, other, rename()).await?;
    lab.step(StepKind::Rename, seen(PowerState::On)).await?;
    Ok(())
}

async fn a_refused_name_is_released_and_an_unsettled_one_is_not(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let before = lab.appliance().await?.name;
    lab.begin(Operation::Rename("db-1".to_owned())).await?;
    lab.step(StepKind::Rename, badly(StepErrorReason::Invalid)).await?;
    let refused = lab.appliance().await?;
    assert_eq!((refused.name.as_str(), refused.new_name, refused.state), (&*before, None, ApplianceState::Ready));
    assert!(refused.proven_at.is_some(), "a name proves nothing");

    lab.begin(Operation::Rename("db-1".to_owned())).await?;
    let claimed = lab.worker.claim().await?.remove(0);
    assert_eq!(claimed.appliance.as_ref().and_then(|a| a.new_name.as_deref()), Some("db-1"));
    // Its worker says nothing any more, and nobody learns what it did.
    let rename = claimed.task.workflow_id;
    lab.world.app.cancel_workflow(rename).await?;
    assert!(lab.worker.finish(key(&claimed), badly(StepErrorReason::Cancelled)).await?);
    assert_eq!(lab.appliance().await?.new_name.as_deref(), Some("db-1"));
    assert_eq!(lab.refused(Operation::Rename("db-2".to_owned())).await, Reason::WrongState);
    lab.begin(Operation::Rename("db-1".to_owned())).await?;
    lab.step(StepKind::Rename, seen(PowerState::On)).await?;
    assert_eq!(lab.appliance().await?.name, "db-1");
    Ok(())
}

async fn there_is_one_disk(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    assert_eq!(lab.refused(Operation::AttachDisk(0)).await, Reason::InvalidArgument);
    lab.begin(Operation::AttachDisk(64)).await?;
    let claimed = lab.worker.claim().await?.remove(0);
    assert_eq!(claimed.appliance.as_ref().and_then(|a| a.wanted_disk_mib), Some(64));
    assert!(lab.worker.finish(key(&claimed), seen(PowerState::On)).await?);
    let with = lab.appliance().await?;
    assert_eq!((with.disk_mib, with.wanted_disk_mib, with.state), (Some(64), None, ApplianceState::Ready));
    assert_eq!(lab.refused(Operation::AttachDisk(65)).await, Reason::WrongState);
    lab.begin(Operation::DetachDisk).await?;
    lab.step(StepKind::DetachDisk, seen(PowerState::On)).await?;
    assert_eq!(lab.appliance().await?.disk_mib, None);

    lab.begin(Operation::AttachDisk(64)).await?;
    lab.step(StepKind::AttachDisk, badly(StepErrorReason::NoCapacity)).await?;
    // Where there is no room now there may be some later.
    assert_eq!(lab.state().await?, ApplianceState::Ready);
    Ok(())
}

const RESET: [StepKind; 9] = [
    StepKind::Stop,
    StepKind::Delete,
    StepKind::WaitGone,
    StepKind::Clone,
    StepKind::WaitPresent,
    StepKind::Tag,
    StepKind::Start,
    StepKind::WaitAddress,
    StepKind::WaitReady,
];

async fn a_reset_deploys_anew_under_the_same_id(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let before = lab.appliance().await?;
    let reset = lab.begin(Operation::Reset).await?;
    for step in RESET {
        let state = match step {
            StepKind::Stop | StepKind::Delete | StepKind::WaitGone => ApplianceState::Stopping,
            StepKind::Clone => ApplianceState::Requested,
            StepKind::WaitPresent | StepKind::Tag => ApplianceState::Cloning,
            StepKind::Start | StepKind::WaitAddress => ApplianceState::Starting,
            _ => ApplianceState::Preparing,
        };
        assert_eq!(lab.state().await?, state, "before {step}");
        lab.step(step, well(step)).await?;
        let appliance = lab.appliance().await?;
        assert!(!appliance.clone_unconfirmed, "{step}");
        assert_eq!(lab.pool_state().await?, PoolState::Ready, "{step}");
        if step == StepKind::WaitGone {
            assert_eq!((appliance.power, appliance.address, appliance.provider_ref), (PowerState::Absent, None, None));
        }
    }
    let after = lab.appliance().await?;
    assert_eq!((after.state, &after.name, after.pool_id), (ApplianceState::Ready, &before.name, before.pool_id));
    assert_eq!(after.leased_until, before.leased_until, "its lease is as it was");
    assert_eq!(lab.ended(reset).await?, WorkflowState::Succeeded);
    Ok(())
}

async fn a_reset_waits_for_a_slot(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    lab.begin(Operation::Reset).await?;
    for step in &RESET[..3] {
        lab.step(*step, well(*step)).await?;
    }
    // The provider takes a hundred at once, and a hundred others are on their way.
    lab.world.warm(100).await?;
    let mut tx = lab.world.database.store().write().await?;
    let others: Vec<_> = (1..200).map(ApplianceId).filter(|id| *id != lab.id).collect();
    let cloning = ApplianceChange { state: Some(ApplianceState::Cloning), ..ApplianceChange::default() };
    tx.change_appliances(&others, &cloning).await?;
    tx.commit().await?;
    assert!(lab.worker.claim().await?.is_empty(), "there is no slot");
    let mut tx = lab.world.database.store().write().await?;
    let ready = ApplianceChange { state: Some(ApplianceState::Ready), ..ApplianceChange::default() };
    tx.change_appliances(&others[..1], &ready).await?;
    tx.change_appliances(&others[1..2], &ready).await?;
    tx.commit().await?;
    lab.step(StepKind::Clone, well(StepKind::Clone)).await?;
    Ok(())
}

async fn a_reset_that_fails_leaves_nothing_behind_and_can_be_repeated(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let reset = lab.begin(Operation::Reset).await?;
    let refused = lab.world.app.cancel_workflow(reset).await.unwrap_err();
    assert_eq!(refused.reason, Reason::WorkflowNotCancellable);
    for step in &RESET[..3] {
        lab.step(*step, well(*step)).await?;
    }
    lab.step(StepKind::Clone, badly(StepErrorReason::TemplateNotFound)).await?;
    let lost = lab.appliance().await?;
    assert_eq!((lost.state, lost.clone_unconfirmed), (ApplianceState::Orphaned, false));
    assert_eq!(lab.pool_state().await?, PoolState::Ready);
    lab.begin(Operation::Reset).await?;
    assert_eq!(lab.worker.work().await?, RESET);
    assert_eq!(lab.state().await?, ApplianceState::Ready);
    Ok(())
}

async fn a_kill_ends_an_operation(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let rename = lab.begin(Operation::Rename("db-1".to_owned())).await?;
    let running = lab.worker.claim().await?.remove(0);
    lab.world.app.kill_appliance(&lab.world.user, lab.id).await?;
    assert_eq!(lab.ended(rename).await?, WorkflowState::Cancelled);
    assert!(lab.worker.claim().await?.is_empty(), "the step under way comes to its end first");
    assert!(lab.worker.finish(key(&running), seen(PowerState::On)).await?);
    assert_eq!(lab.appliance().await?.name, "db-1", "what it did counts");
    assert_eq!(lab.worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone]);
    assert_eq!((lab.state().await?, lab.pool_state().await?), (ApplianceState::Gone, PoolState::Ended));
    Ok(())
}

async fn a_cancelled_operation_leaves_what_was_seen(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let stop = lab.begin(Operation::Stop).await?;
    assert_eq!(lab.world.app.cancel_workflow(stop).await?.state, WorkflowState::Cancelled);
    assert_eq!(lab.state().await?, ApplianceState::Ready);
    assert!(lab.worker.claim().await?.is_empty());

    let stop = lab.begin(Operation::Stop).await?;
    let running = lab.worker.claim().await?.remove(0);
    lab.world.app.cancel_workflow(stop).await?;
    let reboot = lab.begin(Operation::Reboot).await?;
    assert!(lab.worker.claim().await?.is_empty(), "a worker is busy with it still");
    assert!(lab.worker.finish(key(&running), badly(StepErrorReason::Cancelled)).await?);
    lab.worker.work().await?;
    assert_eq!((lab.ended(reboot).await?, lab.state().await?), (WorkflowState::Succeeded, ApplianceState::Ready));

    let stop = lab.begin(Operation::Stop).await?;
    let running = lab.worker.claim().await?.remove(0);
    lab.world.app.cancel_workflow(stop).await?;
    // Killed meanwhile: the step under way must end first, though its workflow has ended.
    assert!(lab.worker.finish(key(&running), seen(PowerState::Off)).await?);
    assert_eq!(lab.state().await?, ApplianceState::Off, "it was too late");

    lab.begin(Operation::Start).await?;
    let running = lab.worker.claim().await?.remove(0);
    lab.world.app.cancel_workflow(running.task.workflow_id).await?;
    lab.world.app.kill_appliance(&lab.world.user, lab.id).await?;
    assert!(lab.worker.claim().await?.is_empty(), "nothing is deleted while it may be started");
    assert!(lab.worker.finish(key(&running), badly(StepErrorReason::Cancelled)).await?);
    assert_eq!(lab.worker.work().await?, [StepKind::Stop, StepKind::Delete, StepKind::WaitGone]);
    Ok(())
}

async fn what_the_provider_cannot_do_is_refused(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    lab.world.app.check_provider(&"lab".into()).await?;
    let capabilities = BTreeSet::from([Capability::Power, Capability::RenameOff]);
    let output = StepOutput::Provider {
        version: "1".to_owned(),
        templates: vec!["app-1.0".to_owned()],
        capabilities,
        totals: sprout_domain::provider::Totals::default(),
    };
    lab.step(StepKind::CheckProvider, Ok(output)).await?;
    for operation in [Operation::Suspend, Operation::AttachDisk(8)] {
        assert_eq!(lab.refused(operation).await, Reason::Unsupported);
    }
    assert_eq!(lab.refused(Operation::Rename("x".to_owned())).await, Reason::WrongState, "only what is off");
    assert_eq!(lab.appliance().await?.new_name, None);
    lab.begin(Operation::Stop).await?;
    lab.worker.work().await?;
    lab.begin(Operation::Rename("x".to_owned())).await?;
    Ok(())
}

async fn a_screen_is_shown_while_there_is_one(db: TestDatabase) -> anyhow::Result<()> {
    let lab = lab(db).await?;
    let console = async || lab.world.app.console(&lab.world.user, lab.id).await;
    assert_eq!(console().await.unwrap_err().reason, Reason::Unsupported);
    lab.begin(Operation::Reboot).await?;
    let shown = StepOutput::Observed {
        provider_ref: "ref".to_owned(),
        power: PowerState::On,
        address: None,
        endpoints: Vec::new(),
        console_url: Some("vnc://192.0.2.1:5901".to_owned()),
    };
    lab.step(StepKind::Reboot, Ok(shown)).await?;
    lab.worker.work().await?;
    assert_eq!(console().await?, "vnc://192.0.2.1:5901");
    lab.begin(Operation::Stop).await?;
    lab.worker.work().await?;
    assert_eq!(console().await.unwrap_err().reason, Reason::WrongState);
    Ok(())
}
