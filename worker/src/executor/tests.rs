//! Every end a step can have becomes one result, and a task runs once.

use sprout_proto::{
    task::{ApplianceRef, CheckProviderStep, CloneStep, PingStep, StepErrorReason, StepInput, Tags, WaitPresentStep},
    worker::{ContainerSettings, ProviderAccess, provider_access::Settings, session_request::Message},
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::*;
use crate::{
    lease::Moment,
    testing::{FakeDriver, Fault},
};

const LONG: Duration = Duration::from_secs(3_600);

struct Bench {
    driver: Arc<FakeDriver>,
    outbox: Arc<Outbox>,
    lease: Arc<Lease>,
    executor: Executor,
}

fn bench() -> Bench {
    let (driver, outbox) = (Arc::new(FakeDriver::default()), Arc::new(Outbox::default()));
    let shared = Arc::clone(&driver);
    let drivers = Drivers::new(["container"], move |_| Ok(Arc::clone(&shared) as Arc<dyn crate::driver::Driver>));
    let lease = Arc::new(Lease::default());
    let executor = Executor::new(drivers, Arc::clone(&outbox), Arc::clone(&lease));
    Bench { driver, outbox, lease, executor }
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
        ..ApplianceRef::default()
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
    assert_eq!(
        bench.result().await,
        (task(4, 1), Some(StepErrorReason::Cancelled)),
        "for as long as the server listens"
    );
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

#[tokio::test]
async fn a_ping_needs_no_provider_and_no_task_of_its_own() {
    let bench = bench();
    let ping = Assign { provider: None, ..assign(task(1, 1), Step::Ping(PingStep {}), LONG) };
    bench.executor.assign(ping.clone());
    assert!(matches!(bench.outbox.try_next(), Some(Message::Done(_))), "answered before anything else ran");
    assert_eq!(bench.outbox.try_next(), None, "and nothing else is said");
    bench.executor.assign(ping.clone());
    assert!(matches!(bench.outbox.try_next(), Some(Message::Done(_))), "the server seems to have missed it");
    bench.outbox.acknowledged(&task(1, 1));
    bench.executor.leave(Leave::Finish);
    bench.executor.assign(ping);
    assert_eq!(bench.result().await, (task(1, 1), Some(StepErrorReason::Cancelled)));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_hangs_in_the_driver_is_ended_and_answers_a_cancel() {
    let bench = bench();
    bench.driver.script("find", [Fault::Waits(Arc::default()), Fault::Waits(Arc::default())]);
    bench.executor.assign(assign(task(1, 1), clone(), Duration::from_secs(60)));
    bench.assign(2, clone());
    bench.driver.called("find", 2).await;
    let start = Instant::now();
    bench.executor.cancel(&task(2, 1), "no progress");
    assert_eq!(bench.result().await, (task(2, 1), Some(StepErrorReason::Cancelled)));
    assert_eq!(start.elapsed(), GRACE);
    assert_eq!(bench.result().await, (task(1, 1), Some(StepErrorReason::Deadline)));
    assert_eq!(start.elapsed().as_secs(), 60);
    assert!(bench.executor.tasks().running.is_empty());
}

/// As after a stop of the process: the lease is long over when the step goes on, and a session tells whose the task is.
#[tokio::test(start_paused = true)]
async fn what_was_given_to_others_meanwhile_is_not_begun() {
    for revoked in [true, false] {
        let bench = bench();
        let lease = Some(Duration::from_secs(10));
        bench.lease.open(Moment::now(), lease);
        let told = Arc::new(Notify::new());
        bench.driver.script("find", [Fault::Waits(Arc::clone(&told))]);
        bench.assign(1, clone());
        bench.driver.called("find", 1).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        told.notify_one();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(bench.driver.count("create"), 0);
        if revoked {
            bench.executor.revoke(&task(1, 1));
        }
        bench.lease.open(Moment::now(), lease);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(bench.driver.count("create"), usize::from(!revoked));
        let done = std::iter::from_fn(|| bench.outbox.try_next()).any(|message| matches!(message, Message::Done(_)));
        assert_eq!(done, !revoked);
    }
}

#[tokio::test]
async fn a_result_that_no_server_takes_is_an_error() {
    let bench = bench();
    bench.driver.with_templates((0..100_000).map(|n| format!("template-{n}")).collect());
    bench.assign(1, check());
    assert_eq!(bench.result().await, (task(1, 1), Some(StepErrorReason::ProviderError)));
}

/// As a thousand deployments at once, and each end of a wait is noticed at its next look.
#[tokio::test(start_paused = true)]
async fn a_thousand_waits_run_at_once() {
    let bench = bench();
    let begun = std::time::Instant::now();
    for id in 0..1_200 {
        bench.assign(id, wait());
    }
    bench.driver.called("find", 1_200).await;
    assert_eq!(bench.executor.held().len(), 1_200);
    bench.driver.put(crate::driver::Instance { tags: appliance().tags, ..crate::testing::instance("sprout-7") });
    let start = Instant::now();
    for _ in 0..1_200 {
        assert_eq!(bench.result().await.1, None);
    }
    assert!(start.elapsed() <= Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_healthy_wait_is_never_silent_for_long() {
    let bench = bench();
    bench.assign(1, wait());
    while bench.driver.count("find") < 1_000 {
        let said = timeout(Duration::from_secs(10), bench.outbox.next()).await;
        assert!(matches!(said, Ok(Message::Progress(_))), "{said:?}");
    }
}
