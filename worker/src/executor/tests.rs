//! Every end a step can have becomes one result, and a task runs once.

use sprout_proto::{
    task::{ApplianceRef, CheckProviderStep, CloneStep, StepErrorReason, StepInput, Tags, WaitPresentStep},
    worker::{ContainerSettings, ProviderAccess, provider_access::Settings, session_request::Message},
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::*;
use crate::testing::{FakeDriver, Fault};

const LONG: Duration = Duration::from_secs(3_600);

struct Bench {
    driver: Arc<FakeDriver>,
    outbox: Arc<Outbox>,
    executor: Executor,
}

fn bench() -> Bench {
    let (driver, outbox) = (Arc::new(FakeDriver::default()), Arc::new(Outbox::default()));
    let shared = Arc::clone(&driver);
    let drivers = Drivers::new(["container"], move |_| Ok(Arc::clone(&shared) as Arc<dyn crate::driver::Driver>));
    Bench { driver, outbox: Arc::clone(&outbox), executor: Executor::new(drivers, outbox) }
}

fn task(task_id: u64, epoch: u64) -> TaskRef {
    TaskRef { task_id, epoch }
}

fn assign(task: TaskRef, step: Step, deadline: Duration) -> Assign {
    let settings = Some(Settings::Container(ContainerSettings::default()));
    Assign {
        task: Some(task),
        input: Some(StepInput { step: Some(step) }),
        provider: Some(ProviderAccess { key: "lab".into(), settings }),
        deadline: Some(deadline.try_into().unwrap()),
    }
}

fn appliance() -> ApplianceRef {
    ApplianceRef {
        name: "sprout-7".into(),
        tags: Some(Tags { installation_id: "here".into(), appliance_id: 7, epoch: 1 }),
    }
}

/// A wait that does not end.
fn wait() -> Step {
    Step::WaitPresent(WaitPresentStep { appliance: Some(appliance()) })
}

fn check() -> Step {
    Step::CheckProvider(CheckProviderStep {})
}

fn clone() -> Step {
    Step::Clone(CloneStep { appliance: Some(appliance()), template: "t".into(), ..Default::default() })
}

impl Bench {
    fn assign(&self, task_id: u64, step: Step) {
        self.executor.assign(assign(task(task_id, 1), step, LONG));
    }

    /// The next result: which task, and why it failed if it did.
    async fn result(&self) -> (TaskRef, Option<StepErrorReason>) {
        loop {
            if let Message::Done(done) = self.outbox.next().await {
                let failed = match done.result.unwrap() {
                    done::Result::Output(_) => None,
                    done::Result::Error(error) => Some(error.reason()),
                };
                return (done.task.unwrap(), failed);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_ends_at_its_deadline() {
    let bench = bench();
    bench.executor.assign(assign(task(1, 1), wait(), Duration::from_secs(60)));
    let start = Instant::now();
    assert_eq!(bench.result().await, (task(1, 1), Some(StepErrorReason::Deadline)));
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn a_panic_is_an_error() {
    let bench = bench();
    bench.driver.script("check", [Fault::Panics]);
    bench.assign(1, check());
    assert_eq!(bench.result().await, (task(1, 1), Some(StepErrorReason::ProviderError)));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let bench = bench();
    let good = || assign(task(1, 1), check(), LONG);
    let wrong = [
        Assign { input: None, ..good() },
        Assign { input: Some(StepInput { step: None }), ..good() },
        Assign { deadline: None, ..good() },
        Assign { provider: None, ..good() },
    ];
    for wrong in wrong {
        bench.executor.assign(wrong);
        assert_eq!(bench.result().await, (task(1, 1), Some(StepErrorReason::Invalid)));
        bench.outbox.acknowledged(&task(1, 1));
    }
    bench.executor.assign(Assign { task: None, ..good() });
    assert!(bench.executor.held().is_empty());
}

#[tokio::test]
async fn the_same_assignment_runs_once_and_is_answered_again() {
    let bench = bench();
    let told = Arc::new(Notify::new());
    bench.driver.script("check", [Fault::Waits(Arc::clone(&told))]);
    bench.assign(1, check());
    bench.driver.called("check", 1).await;
    bench.assign(1, check());
    told.notify_one();
    assert_eq!(bench.result().await, (task(1, 1), None));
    bench.assign(1, check());
    assert_eq!(bench.result().await, (task(1, 1), None), "the server seems to have missed it");
    assert_eq!(bench.driver.count("check"), 1);
}

#[tokio::test]
async fn a_newer_epoch_takes_over() {
    let bench = bench();
    bench.assign(1, wait());
    bench.driver.called("find", 1).await;
    bench.executor.assign(assign(task(1, 2), check(), LONG));
    assert_eq!(bench.result().await, (task(1, 2), None));
    assert_eq!(bench.executor.held(), [task(1, 2)]);
    bench.assign(1, check());
    assert_eq!(bench.result().await, (task(1, 2), None), "an older assignment is not run");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_ends_at_once_and_a_clone_gets_time_to_be_known() {
    let bench = bench();
    bench.assign(1, wait());
    bench.driver.called("find", 1).await;
    let start = Instant::now();
    bench.executor.cancel(&task(1, 1), "not wanted");
    assert_eq!(bench.result().await, (task(1, 1), Some(StepErrorReason::Cancelled)));
    assert_eq!(start.elapsed(), Duration::ZERO);

    let told = Arc::new(Notify::new());
    bench.driver.script("create", [Fault::Waits(Arc::clone(&told)), Fault::Waits(Arc::default())]);
    bench.assign(2, clone());
    bench.driver.called("create", 1).await;
    bench.executor.cancel(&task(2, 1), "not wanted");
    told.notify_one();
    assert_eq!(bench.result().await, (task(2, 1), None), "its result came first");

    bench.driver.take("sprout-7");
    bench.assign(3, clone());
    bench.driver.called("create", 2).await;
    bench.executor.cancel(&task(3, 1), "not wanted");
    assert_eq!(bench.result().await, (task(3, 1), Some(StepErrorReason::Cancelled)));
    assert_eq!(start.elapsed(), GRACE);
}

#[tokio::test]
async fn a_cancel_of_what_is_not_here_is_answered() {
    let bench = bench();
    bench.executor.cancel(&task(9, 1), "not wanted");
    assert_eq!(bench.result().await, (task(9, 1), Some(StepErrorReason::Cancelled)));
    bench.assign(1, wait());
    bench.executor.cancel(&task(1, 0), "an older epoch");
    assert!(bench.executor.held().contains(&task(1, 1)));
    assert!(bench.outbox.unacknowledged().iter().all(|done| done.task_id != 1));
}

#[tokio::test]
async fn nothing_is_reported_of_a_revoked_step() {
    let bench = bench();
    bench.assign(1, wait());
    bench.driver.called("find", 1).await;
    bench.executor.revoke(&task(1, 1));
    assert!(bench.executor.held().is_empty());
    bench.assign(2, check());
    assert_eq!(bench.result().await, (task(2, 1), None));
}

#[tokio::test(start_paused = true)]
async fn finishing_hands_waits_back_and_ends_actions() {
    let bench = bench();
    let told = Arc::new(Notify::new());
    bench.driver.script("check", [Fault::Waits(Arc::clone(&told))]);
    bench.assign(1, wait());
    bench.assign(2, check());
    bench.driver.called("check", 1).await;
    bench.executor.leave(Leave::Finish);
    assert_eq!(bench.result().await, (task(1, 1), Some(StepErrorReason::Cancelled)));
    bench.assign(3, check());
    assert_eq!(bench.result().await, (task(3, 1), Some(StepErrorReason::Cancelled)), "nothing new");
    let mut left = std::pin::pin!(bench.executor.left());
    timeout(Duration::from_secs(60), &mut left).await.unwrap_err();
    told.notify_one();
    assert_eq!(bench.result().await, (task(2, 1), None));
    left.await;
    bench.assign(4, check());
    assert!(!bench.executor.held().contains(&task(4, 1)), "nothing at all once it has left");
}

#[tokio::test(start_paused = true)]
async fn urgency_decides_what_a_clone_is_given() {
    for (level, patience) in [(Leave::HandBack, GRACE), (Leave::Soon, Duration::ZERO)] {
        let bench = bench();
        bench.driver.script("create", [Fault::Waits(Arc::default())]);
        bench.driver.script("check", [Fault::Waits(Arc::default())]);
        bench.assign(1, clone());
        bench.assign(2, check());
        bench.driver.called("create", 1).await;
        bench.driver.called("check", 1).await;
        bench.executor.leave(Leave::Finish);
        let start = Instant::now();
        bench.executor.leave(level);
        let mut results = [bench.result().await, bench.result().await];
        results.sort_by_key(|(task, _)| task.task_id);
        let cancelled = Some(StepErrorReason::Cancelled);
        assert_eq!(results, [(task(1, 1), cancelled), (task(2, 1), cancelled)]);
        assert_eq!(start.elapsed(), patience, "{level:?}");
        bench.executor.left().await;
    }
}

#[tokio::test(start_paused = true)]
async fn draining_lets_everything_end() {
    let bench = bench();
    bench.assign(1, wait());
    bench.driver.called("find", 1).await;
    bench.executor.leave(Leave::Drain);
    bench.executor.leave(Leave::Stay);
    let mut left = std::pin::pin!(bench.executor.left());
    timeout(Duration::from_secs(60), &mut left).await.unwrap_err();
    bench.driver.put(crate::driver::Instance { tags: appliance().tags, ..crate::testing::instance("sprout-7") });
    left.await;
    assert_eq!(bench.result().await, (task(1, 1), None));
}
