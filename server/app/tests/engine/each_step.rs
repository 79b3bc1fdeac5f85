//! Every step of every operation: failed there, told twice, and given to another because its worker was lost.

use sprout_app::{
    Outcome, TaskKey,
    ports::{Page, Store as _, WorkflowFilter},
};
use sprout_domain::{
    ApplianceId, PoolId, TaskId, WorkflowId,
    appliance::{Appliance, ApplianceState, PowerState},
    operation::Operation,
    pool::PoolState,
    workflow::{StepErrorReason, StepKind, StepOutput, TaskState, WorkflowKind, WorkflowState},
};
use sprout_test_support::{database::TestDatabase, on_each_database};

use ApplianceState::{Off, Orphaned, Ready, Suspended};

use crate::world::{PATIENCE, Worker, World, badly, key, well};

on_each_database!(
    what_fails_at_any_step_leaves_an_appliance_that_can_be_used_again,
    what_is_told_twice_is_done_once,
    what_a_lost_worker_had_is_done_by_the_next_and_counts_once,
);

/// Each operation, the state it begins in, and what it leaves when it goes well.
fn operations() -> Vec<(Operation, ApplianceState, ApplianceState)> {
    vec![
        (Operation::Stop, Ready, Off),
        (Operation::Start, Off, Ready),
        (Operation::Suspend, Ready, Suspended),
        (Operation::Resume, Suspended, Ready),
        (Operation::Reboot, Ready, Ready),
        (Operation::Rename("db-1".to_owned()), Ready, Ready),
        (Operation::AttachDisk(64), Ready, Ready),
        (Operation::DetachDisk, Ready, Ready),
        (Operation::Reset, Ready, Ready),
        (Operation::Reset, Off, Ready),
    ]
}

struct Bench {
    world: World,
    worker: Worker,
    pool: PoolId,
    id: ApplianceId,
}

/// A pool with one ready appliance.
async fn bench(db: TestDatabase) -> anyhow::Result<Bench> {
    let world = World::new(db).await?;
    let worker = world.worker("w", &[]).await?;
    let pool = world.request(1, PATIENCE * 100).await?;
    worker.work().await?;
    let id = world.pool(pool).await?.appliances[0].id;
    Ok(Bench { world, worker, pool, id })
}

/// What a worker says of a step that went well.
fn done(step: StepKind) -> Outcome {
    let power = match step {
        StepKind::Start | StepKind::Resume | StepKind::Reboot => PowerState::On,
        StepKind::Suspend => PowerState::Suspended,
        StepKind::Stop => PowerState::Off,
        _ => return well(step),
    };
    let provider_ref = "ref".to_owned();
    Ok(StepOutput::Observed { provider_ref, power, address: None, endpoints: Vec::new(), console_url: None })
}

impl Bench {
    async fn appliance(&self) -> anyhow::Result<Appliance> {
        let mut tx = self.world.database.store().read().await?;
        Ok(tx.appliances_by_id(&[self.id]).await?.remove(0))
    }

    /// Begins it; none: it is so already.
    async fn begin(&self, operation: &Operation) -> anyhow::Result<Option<WorkflowId>> {
        Ok(self.world.app.operate(&self.world.user, self.id, operation.clone()).await?.1)
    }

    /// The one step there is.
    async fn claim(&self, step: StepKind) -> anyhow::Result<TaskKey> {
        let claimed = self.worker.claim().await?;
        assert_eq!(claimed.iter().map(|a| a.task.step).collect::<Vec<_>>(), [step]);
        Ok(key(&claimed[0]))
    }

    async fn end(&self, step: StepKind) -> anyhow::Result<()> {
        let task = self.claim(step).await?;
        assert!(self.worker.finish(task, done(step)).await?);
        Ok(())
    }

    /// Does all of it, if there is anything to do.
    async fn perform(&self, operation: &Operation) -> anyhow::Result<()> {
        if let Some(workflow) = self.begin(operation).await? {
            for step in operation.workflow().steps() {
                self.end(*step).await?;
            }
            assert_eq!(self.ended(workflow).await?, WorkflowState::Succeeded, "{operation}");
        }
        Ok(())
    }

    /// Brings it into the state in which the operation begins, whatever it is in.
    async fn prepare(&self, operation: &Operation, state: ApplianceState) -> anyhow::Result<()> {
        let now = self.appliance().await?;
        if let Some(name) = now.new_name {
            self.perform(&Operation::Rename(name)).await?;
        }
        if now.state != ApplianceState::Ready || now.disk_mib.is_some() || now.wanted_disk_mib.is_some() {
            self.perform(&Operation::Reset).await?;
        }
        match state {
            ApplianceState::Off => self.perform(&Operation::Stop).await?,
            ApplianceState::Suspended => self.perform(&Operation::Suspend).await?,
            _ => {}
        }
        match operation {
            Operation::DetachDisk => self.perform(&Operation::AttachDisk(64)).await?,
            Operation::Rename(_) => self.perform(&Operation::Rename("another".to_owned())).await?,
            _ => {}
        }
        assert_eq!(self.appliance().await?.state, state, "before {operation}");
        Ok(())
    }

    async fn ended(&self, id: WorkflowId) -> anyhow::Result<WorkflowState> {
        Ok(self.world.app.workflow(id).await?.0.state)
    }

    async fn task(&self, id: TaskId) -> anyhow::Result<TaskState> {
        Ok(self.world.app.task(id).await?.state)
    }

    /// Its pool is as if nothing had happened, and nobody kills anything or deploys another one.
    async fn keeps_its_pool(&self, what: &str) -> anyhow::Result<()> {
        let view = self.world.pool(self.pool).await?;
        assert_eq!((view.pool.state, view.appliances.len()), (PoolState::Ready, 1), "{what}");
        assert_eq!((view.appliances[0].id, view.pool.failure_count), (self.id, 0), "{what}");
        let kills = WorkflowFilter { kind: Some(WorkflowKind::Kill), ..WorkflowFilter::default() };
        let kills = self.world.app.workflows(&kills, Page { before: None, limit: 9 }).await?;
        assert!(kills.is_empty(), "{what}: {kills:?}");
        Ok(())
    }

    /// What the operation was for is so, once.
    async fn is_done(&self, operation: &Operation, state: ApplianceState) -> anyhow::Result<()> {
        let after = self.appliance().await?;
        assert_eq!((after.state, &after.new_name, after.wanted_disk_mib), (state, &None, None), "{operation}");
        match operation {
            Operation::Rename(name) => assert_eq!(&after.name, name),
            Operation::AttachDisk(size) => assert_eq!(after.disk_mib, Some(*size)),
            _ => assert_eq!(after.disk_mib, None, "{operation}"),
        }
        assert!(self.worker.claim().await?.is_empty(), "there is more to do after {operation}");
        self.keeps_its_pool(&operation.to_string()).await
    }
}

async fn what_fails_at_any_step_leaves_an_appliance_that_can_be_used_again(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    for (operation, from, to) in operations() {
        let steps = operation.workflow().steps();
        for (n, failing) in steps.iter().enumerate() {
            let what = format!("{operation} from {from}, failed at {failing}");
            bench.prepare(&operation, from).await?;
            let workflow = bench.begin(&operation).await?.unwrap();
            for step in &steps[..n] {
                bench.end(*step).await?;
            }
            let task = bench.claim(*failing).await?;
            assert!(bench.worker.finish(task, badly(StepErrorReason::Invalid)).await?);
            bench.keeps_its_pool(&what).await?;
            if bench.ended(workflow).await? == WorkflowState::Running {
                // Where something may be left over there is no giving up; what cannot be stopped is deleted as it is.
                let retrying = bench.task(task.id).await? == TaskState::Retrying;
                assert_ne!(retrying, *failing == StepKind::Stop, "{what}");
                if retrying {
                    bench.world.app.retry_task(task.id).await?;
                }
                for step in &steps[n + usize::from(!retrying)..] {
                    bench.end(*step).await?;
                }
            } else {
                assert_eq!(bench.ended(workflow).await?, WorkflowState::Failed, "{what}");
                let left = bench.appliance().await?;
                assert!(matches!(left.state, Ready | Off | Suspended | Orphaned), "{what}: {}", left.state);
                assert!(left.status.contains("as the test wants"), "{what}: {}", left.status);
                assert!(left.leased_until.is_some() && left.new_name.is_none(), "{what}");
                assert!(bench.worker.claim().await?.is_empty(), "{what}");
                bench.prepare(&operation, from).await?;
                bench.perform(&operation).await?;
            }
            bench.is_done(&operation, to).await?;
        }
    }
    Ok(())
}

async fn what_is_told_twice_is_done_once(db: TestDatabase) -> anyhow::Result<()> {
    let bench = bench(db).await?;
    for (operation, from, to) in operations() {
        bench.prepare(&operation, from).await?;
        let workflow = bench.begin(&operation).await?;
        for step in operation.workflow().steps() {
            assert_eq!(bench.begin(&operation).await?, workflow, "whoever lost the answer asks again");
            let task = bench.claim(*step).await?;
            assert!(bench.worker.finish(task, done(*step)).await?);
            let after = bench.appliance().await?;
            for outcome in [done(*step), badly(StepErrorReason::Invalid)] {
                assert!(!bench.worker.finish(task, outcome).await?, "{operation}: {step} was taken twice");
                assert_eq!(bench.appliance().await?, after, "{operation}: {step} counted twice");
            }
        }
        bench.is_done(&operation, to).await?;
    }
    Ok(())
}

async fn what_a_lost_worker_had_is_done_by_the_next_and_counts_once(db: TestDatabase) -> anyhow::Result<()> {
    let mut bench = bench(db).await?;
    for (operation, from, to) in operations() {
        bench.prepare(&operation, from).await?;
        bench.begin(&operation).await?;
        for step in operation.workflow().steps() {
            let lost = bench.claim(*step).await?;
            // It is back, and knows nothing of what it had.
            let dead = std::mem::replace(&mut bench.worker, bench.world.worker("w", &[]).await?);
            let again = bench.claim(*step).await?;
            let before = bench.appliance().await?;
            assert!(again.id == lost.id && again.epoch > lost.epoch, "{operation}: {step}");
            for outcome in [done(*step), badly(StepErrorReason::Invalid)] {
                assert!(!dead.finish(lost, outcome).await?, "{operation}: {step} of a dead worker counted");
            }
            assert_eq!(bench.appliance().await?, before, "{operation}: {step}");
            assert!(bench.worker.finish(again, done(*step)).await?);
        }
        bench.is_done(&operation, to).await?;
    }
    Ok(())
}
