//! On tokio's paused clock: time passes only while everyone waits, so pauses are exact and cost nothing.

use sprout_app::LocalBus;
use sprout_domain::Reason;
use tokio::{sync::mpsc, time::Instant};

use super::*;

/// Answers as planned, then with "nothing more", and tells when it ran.
struct Planned {
    answers: Vec<Result<Option<Duration>>>,
    ran: mpsc::UnboundedSender<Instant>,
}

#[async_trait]
impl Activity for Planned {
    fn when(&self) -> Loop {
        Loop { name: "test", period: Duration::from_secs(30), topic: Some(Topic::Warm), rest: Duration::ZERO }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        self.ran.send(Instant::now()).unwrap();
        if self.answers.is_empty() { Ok(None) } else { self.answers.remove(0) }
    }
}

struct Fixture {
    bus: Arc<LocalBus>,
    shutdown: CancellationToken,
    ran: mpsc::UnboundedReceiver<Instant>,
    last: Instant,
}

impl Fixture {
    fn new(answers: Vec<Result<Option<Duration>>>) -> Self {
        let (sender, ran) = mpsc::unbounded_channel();
        let (bus, shutdown) = (Arc::new(LocalBus::default()), CancellationToken::new());
        tokio::spawn(run(Box::new(Planned { answers, ran: sender }), bus.clone(), shutdown.clone()));
        Self { bus, shutdown, ran, last: Instant::now() }
    }

    /// Seconds until the next run.
    async fn pause(&mut self) -> f64 {
        let at = self.ran.recv().await.unwrap();
        let pause = at - self.last;
        self.last = at;
        (pause.as_secs_f64() * 10.0).round() / 10.0
    }
}

fn failure(message: &str) -> Result<Option<Duration>> {
    Err(Error::new(Reason::Internal, message))
}

fn outage() -> Result<Option<Duration>> {
    Err(Error::new(Reason::DatabaseUnavailable, "away"))
}

#[tokio::test(start_paused = true)]
async fn it_runs_at_once_on_its_period_and_when_it_said() {
    let mut fixture = Fixture::new(vec![Ok(None), Ok(Some(Duration::from_millis(2500))), Ok(Some(Duration::MAX))]);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        pauses.push(fixture.pause().await);
    }
    assert_eq!(pauses, [0.0, 30.0, 2.5, 30.0]);
}

#[tokio::test(start_paused = true)]
async fn a_nudge_wakes_it_and_many_count_as_one() {
    let mut fixture = Fixture::new(vec![]);
    assert_eq!(fixture.pause().await.to_string(), "0");
    tokio::time::sleep(Duration::from_secs(7)).await;
    (0..10).for_each(|_| fixture.bus.publish(&[Topic::Warm]));
    assert_eq!(fixture.pause().await.to_string(), "7");
    fixture.bus.publish(&[Topic::Leases]);
    assert_eq!(fixture.pause().await.to_string(), "30");
}

#[tokio::test(start_paused = true)]
async fn failures_make_growing_pauses_that_nudges_do_not_shorten() {
    let mut fixture = Fixture::new((0..7).map(|n| failure(&n.to_string())).collect());
    let mut pauses = Vec::new();
    for _ in 0..8 {
        fixture.bus.publish(&[Topic::Warm]);
        pauses.push(fixture.pause().await.to_string());
    }
    assert_eq!(pauses, ["0", "1", "2", "4", "8", "16", "30", "30"]);
    assert_eq!(fixture.pause().await.to_string(), "30", "the last run worked, and left no nudge unseen");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_tried_every_second() {
    let mut fixture = Fixture::new((0..20).map(|_| outage()).collect());
    fixture.pause().await;
    for _ in 0..20 {
        assert_eq!(fixture.pause().await.to_string(), "1");
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_the_leader_does_begins_and_ends_with_the_leadership() {
    let (sender, mut ran) = mpsc::unbounded_channel();
    let (term, leading) = watch::channel(None);
    let (bus, shutdown) = (Arc::new(LocalBus::default()), CancellationToken::new());
    let activity = Box::new(Planned { answers: vec![], ran: sender });
    tokio::spawn(run_leading(vec![activity], bus.clone(), leading, shutdown.clone()));
    let lead = async |long: u64| tokio::time::sleep(Duration::from_secs(long)).await;
    lead(100).await;
    assert!(ran.try_recv().is_err(), "it does not lead");
    term.send_replace(Some(Term::for_test(1)));
    ran.recv().await.unwrap();
    lead(1).await;
    term.send_replace(None);
    lead(1).await;
    bus.publish(&[Topic::Warm]);
    lead(100).await;
    assert!(ran.try_recv().is_err(), "it leads no more");
    term.send_replace(Some(Term::for_test(2)));
    ran.recv().await.unwrap();
    shutdown.cancel();
    assert_eq!(ran.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_server() {
    let mut fixture = Fixture::new(vec![]);
    fixture.pause().await;
    fixture.shutdown.cancel();
    assert_eq!(fixture.ran.recv().await, None);
}

#[tokio::test]
async fn the_same_failure_is_told_once() {
    let mut failures = Failures { name: "test", message: None, backoff: BACKOFF };
    assert!(failures.note(failure("a")).is_err());
    assert_eq!(failures.message.as_deref(), Some("a"));
    assert_eq!(failures.note(failure("a")).unwrap_err(), BACKOFF * 2);
    failures.note(Ok(())).unwrap();
    assert_eq!((failures.message.as_deref(), failures.backoff), (None, BACKOFF));
}
