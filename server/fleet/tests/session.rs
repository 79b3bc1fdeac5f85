//! Sessions of workers that say nothing, too much, or what they must not, on a real database of each kind.

#![allow(clippy::unwrap_used, reason = "a test that finds nothing there has failed")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use sprout_app::{
    App, LocalBus,
    ports::{LogOf, LogStore, Ports},
};
use sprout_domain::{
    Catalogue, Result,
    provider::{ProviderSettings, ProviderSpec},
};
use sprout_fleet::Fleet;
use sprout_proto::worker::{
    Done, Heartbeat, Hello, LaneSlots, SessionRequest, SessionResponse, TaskRef, session_request::Message as Says,
    session_response::Message as Hears,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;
use tonic_types::StatusExt as _;

/// A test that waits longer has found something that hangs.
const PATIENCE: Duration = Duration::from_secs(30);

on_each_database!(
    a_session_in_which_nothing_is_said_ends,
    a_session_that_speaks_goes_on,
    messages_out_of_order_are_refused,
    a_hello_that_cannot_be_used_is_refused,
    a_task_that_is_not_its_is_revoked_once,
    a_drained_worker_is_told_and_a_removed_one_is_ended,
    what_one_worker_does_wrong_harms_no_other_and_is_logged_once,
    a_worker_that_reads_nothing_is_given_less_and_the_rest_goes_to_others,
);

struct NoLogs(watch::Sender<u64>);

#[async_trait]
impl LogStore for NoLogs {
    async fn append(&self, _: &LogOf, _: Vec<String>) {}

    async fn read(&self, _: &LogOf, position: u64, _: usize) -> Result<(Vec<String>, u64)> {
        Ok((Vec::new(), position))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

async fn fleet(database: &TestDatabase) -> anyhow::Result<(Arc<App>, Arc<Fleet>)> {
    let logs = Arc::new(NoLogs(watch::Sender::new(0)));
    let ports = Ports { store: database.store(), bus: Arc::new(LocalBus::default()), logs };
    let app = App::new(ports, Catalogue::default()).await?;
    Ok((app.clone(), Fleet::new(app, "1")))
}

#[expect(clippy::unnecessary_wraps, reason = "it is an item of a stream that may break")]
fn says(message: Says) -> std::result::Result<SessionRequest, tonic::Status> {
    Ok(SessionRequest { message: Some(message) })
}

fn says_hello() -> std::result::Result<SessionRequest, tonic::Status> {
    says(Says::Hello(Hello { worker_id: "w".to_owned(), slots: 1, ..Hello::default() }))
}

/// The connection stays open, as that of a machine that was switched off does. Nobody says for the worker that it lives.
async fn a_session_in_which_nothing_is_said_ends(database: TestDatabase) -> anyhow::Result<()> {
    let (app, fleet) = fleet(&database).await?;
    let begin = Instant::now();
    let incoming = stream::iter([says_hello()]).chain(stream::pending()).boxed();
    let mut answers = fleet.session("w".into(), incoming).await?;
    let welcome = answers.next().await.and_then(|said| said.ok()?.message);
    assert!(matches!(welcome, Some(Hears::Welcome(_))), "{welcome:?}");
    sleep(Duration::from_secs(1)).await;
    let before = app.workers().await?[0].last_heard_at;
    assert!(timeout(Duration::from_secs(15), answers.next()).await?.is_none(), "its end");
    assert!(begin.elapsed() >= Duration::from_secs(9), "it is given its time: {:?}", begin.elapsed());
    assert_eq!(app.workers().await?[0].last_heard_at, before, "it had said nothing");
    assert!(fleet.connected().is_empty());
    Ok(())
}

async fn a_session_that_speaks_goes_on(database: TestDatabase) -> anyhow::Result<()> {
    let (app, fleet) = fleet(&database).await?;
    let beats = stream::unfold((), |()| async {
        sleep(Duration::from_secs(2)).await;
        Some((says(Says::Heartbeat(Heartbeat { number: 7 })), ()))
    });
    let serving = tokio::spawn(fleet.clone().run());
    let mut answers = fleet.session("w".into(), stream::iter([says_hello()]).chain(beats).boxed()).await?;
    assert!(answers.next().await.is_some(), "welcome");
    let before = app.workers().await?[0].last_heard_at;
    let end = Instant::now() + Duration::from_secs(12);
    let mut answered = 0;
    while let Ok(said) = tokio::time::timeout_at(end, answers.next()).await {
        assert!(matches!(said, Some(Ok(SessionResponse { message: Some(Hears::Heard(_)) }))), "{said:?}");
        answered += 1;
    }
    assert!(answered >= 4, "each heartbeat is answered: {answered}");
    serving.abort();
    let later = app.workers().await?[0].last_heard_at;
    assert!((later - before).num_seconds() >= 8, "{before} {later}");
    Ok(())
}

/// A session that says this after its Hello, and then nothing.
async fn session(
    fleet: &Arc<Fleet>,
    more: Vec<Says>,
) -> anyhow::Result<impl futures::Stream<Item = std::result::Result<SessionResponse, tonic::Status>> + Unpin> {
    let said = std::iter::once(says_hello()).chain(more.into_iter().map(says));
    let mut answers = Box::pin(
        fleet.session("w".into(), stream::iter(said.collect::<Vec<_>>()).chain(stream::pending()).boxed()).await?,
    );
    let welcome = answers.next().await.and_then(|said| said.ok()?.message);
    let Some(Hears::Welcome(welcome)) = welcome else { anyhow::bail!("{welcome:?}") };
    assert_eq!((welcome.lease.map(|lease| lease.seconds), welcome.drained), (Some(10), false));
    Ok(answers)
}

fn reason(status: &tonic::Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

async fn messages_out_of_order_are_refused(database: TestDatabase) -> anyhow::Result<()> {
    let (_, fleet) = fleet(&database).await?;
    let incoming = stream::iter([says(Says::Heartbeat(Heartbeat { number: 1 }))]).boxed();
    let Err(refused) = fleet.session("w".into(), incoming).await else { anyhow::bail!("no Hello") };
    assert_eq!((refused.code(), &*reason(&refused)), (Code::FailedPrecondition, "OUT_OF_ORDER"));
    let Err(refused) = fleet.session("other".into(), stream::iter([says_hello()]).boxed()).await else {
        anyhow::bail!("another's id")
    };
    assert_eq!((refused.code(), &*reason(&refused)), (Code::PermissionDenied, "NOT_ALLOWED"));

    let twice = Says::Hello(Hello { worker_id: "w".to_owned(), slots: 1, ..Hello::default() });
    let mut answers = session(&fleet, vec![twice]).await?;
    let last = timeout(PATIENCE, answers.next()).await?.unwrap().unwrap_err();
    assert_eq!((last.code(), &*reason(&last)), (Code::FailedPrecondition, "OUT_OF_ORDER"));
    assert!(timeout(PATIENCE, answers.next()).await?.is_none());
    Ok(())
}

async fn a_hello_that_cannot_be_used_is_refused(database: TestDatabase) -> anyhow::Result<()> {
    let (app, fleet) = fleet(&database).await?;
    let good = Hello { worker_id: "w".to_owned(), slots: 1, ..Hello::default() };
    let bad = [
        Hello { slots: 0, ..good.clone() },
        Hello { lane_slots: vec![LaneSlots { lane: 99, slots: 1 }], ..good.clone() },
        Hello { lane_slots: vec![LaneSlots { lane: 2, slots: 1 }; 2], ..good.clone() },
        Hello { labels: (0..65).map(|n| (n.to_string(), String::new())).collect(), ..good.clone() },
        Hello { version: "x".repeat(1000), ..good },
    ];
    for hello in bad {
        let incoming = stream::iter([says(Says::Hello(hello))]).boxed();
        let Err(refused) = fleet.session("w".into(), incoming).await else { anyhow::bail!("it was taken") };
        assert_eq!((refused.code(), &*reason(&refused)), (Code::InvalidArgument, "INVALID_ARGUMENT"));
    }
    assert!(app.workers().await?.is_empty());
    let too_large = stream::iter([Err(tonic::Status::out_of_range("message length too large"))]).boxed();
    let Err(refused) = fleet.session("w".into(), too_large).await else { anyhow::bail!("it was read") };
    assert_eq!((refused.code(), &*reason(&refused)), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
    Ok(())
}

async fn a_task_that_is_not_its_is_revoked_once(database: TestDatabase) -> anyhow::Result<()> {
    let (_, fleet) = fleet(&database).await?;
    let done = |task_id| Says::Done(Done { task: Some(TaskRef { task_id, epoch: 1 }), result: None });
    let mut answers = session(&fleet, vec![done(5), done(5), done(6)]).await?;
    for expected in [5, 6] {
        let said = timeout(PATIENCE, answers.next()).await?.unwrap()?.message;
        assert!(
            matches!(&said, Some(Hears::Revoke(revoke)) if revoke.task == Some(TaskRef { task_id: expected, epoch: 1 })),
            "{said:?}"
        );
    }
    Ok(())
}

/// Counts warnings, by their message.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Words(String);

impl tracing::field::Visit for Words {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.extend([field.name(), "=", &format!("{value:?}"), " "]);
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        about.is_event() && *about.level() <= tracing::Level::INFO && about.target().starts_with("sprout_fleet")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        self.0.lock().unwrap().push(words.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

impl Warnings {
    /// What was said with these words.
    fn with(&self, words: &str) -> Vec<String> {
        self.0.lock().unwrap().iter().filter(|said| said.contains(words)).cloned().collect()
    }
}

async fn what_one_worker_does_wrong_harms_no_other_and_is_logged_once(database: TestDatabase) -> anyhow::Result<()> {
    let warnings = Warnings::default();
    // One test is one process.
    tracing::subscriber::set_global_default(warnings.clone())?;
    let (app, fleet) = fleet(&database).await?;
    let serving = tokio::spawn(fleet.clone().run());
    let (beats, said) = mpsc::unbounded_channel();
    let good = Hello { worker_id: "good".to_owned(), slots: 1, ..Hello::default() };
    beats.send(says(Says::Hello(good)))?;
    let mut answers = fleet.session("good".into(), UnboundedReceiverStream::new(said)).await?;
    assert!(matches!(answers.next().await, Some(Ok(SessionResponse { message: Some(Hears::Welcome(_)) }))));

    let others = says(Says::Hello(Hello { worker_id: "good".to_owned(), slots: 1, ..Hello::default() }));
    let early = says(Says::Heartbeat(Heartbeat { number: 1 }));
    let large = Err(tonic::Status::out_of_range("message length too large"));
    for (first, code, words) in [
        (others, Code::PermissionDenied, "not to good"),
        (early, Code::FailedPrecondition, "a session begins with Hello"),
        (large.clone(), Code::ResourceExhausted, "a message of a worker has at most"),
    ] {
        let Err(refused) = fleet.session("bad".into(), stream::iter([first])).await else { anyhow::bail!("{words}") };
        assert_eq!(refused.code(), code, "{refused:?}");
        assert_eq!(warnings.with(words).len(), 1, "{words}: {:?}", warnings.0.lock().unwrap());
    }
    assert!(app.workers().await?.iter().all(|worker| worker.id.0 == "good"), "nothing half done");

    // In a session: a task that is not its, said again and again; then something that cannot be read.
    let hello = says(Says::Hello(Hello { worker_id: "bad".to_owned(), slots: 1, ..Hello::default() }));
    let done = says(Says::Done(Done { task: Some(TaskRef { task_id: 5, epoch: 1 }), result: None }));
    let said = [hello, done.clone(), done.clone(), done, large];
    let answers_to_bad: Vec<_> = fleet.session("bad".into(), stream::iter(said)).await?.collect().await;
    let last = answers_to_bad.last().cloned().unwrap().unwrap_err();
    assert_eq!((last.code(), &*reason(&last), answers_to_bad.len()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE", 3));
    assert_eq!(warnings.with("speaks of a task that is not its").len(), 1);
    assert_eq!(warnings.with("the stream broke: message length too large").len(), 1);

    beats.send(says(Says::Heartbeat(Heartbeat { number: 7 })))?;
    let heard = timeout(PATIENCE, answers.next()).await?;
    assert!(matches!(heard, Some(Ok(SessionResponse { message: Some(Hears::Heard(_)) }))), "{heard:?}");
    serving.abort();
    Ok(())
}

async fn a_worker_that_reads_nothing_is_given_less_and_the_rest_goes_to_others(
    database: TestDatabase,
) -> anyhow::Result<()> {
    const MANY: u32 = 6_000;
    let (app, fleet) = fleet(&database).await?;
    app.set_catalogue(lab()).await?;
    app.ping(&"lab".into(), MANY).await?;
    let hello = |id: &str| {
        let provider_types = vec!["container".to_owned()];
        says(Says::Hello(Hello { worker_id: id.to_owned(), slots: 10_000, provider_types, ..Hello::default() }))
    };
    let silent = stream::iter([hello("deaf")]).chain(stream::pending()).boxed();
    let unread = fleet.session("deaf".into(), silent).await?;
    let serving = tokio::spawn(fleet.clone().run());
    let running = async |worker: &str| anyhow::Ok(app.running_counts().await?.get(&worker.into()).copied());
    let given = async {
        // As many as it is given without having read one of them.
        while running("deaf").await?.unwrap_or_default() < 4_000 {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, given).await??;
    let other = stream::iter([hello("other")]).chain(stream::pending()).boxed();
    let mut answers = fleet.session("other".into(), other).await?;
    let mut assigned = 0;
    while assigned < 1_900 {
        let said = timeout(PATIENCE, answers.next()).await?.unwrap()?.message;
        assigned += usize::from(matches!(said, Some(Hears::Assign(_))));
    }
    let deaf = running("deaf").await?.unwrap_or_default();
    assert!(deaf <= 4_096, "what waits to be read is bounded, and it was given {deaf}");
    drop(unread);
    serving.abort();
    Ok(())
}

/// One provider.
fn lab() -> Catalogue {
    let settings =
        ProviderSettings::Container { socket: String::new(), publish_address: String::new(), memory_mib: 0, cpus: 0 };
    let spec = ProviderSpec {
        key: "lab".into(),
        name: "lab".to_owned(),
        provisioning_limit: 1,
        appliance_limit: None,
        memory_limit_mib: None,
        cpu_limit: None,
        circuit_failures: 5,
        configuring_limit: 1,
        template_name_limit: None,
        container_base_template: None,
        disabled: false,
        settings,
    };
    Catalogue { providers: [("lab".into(), spec)].into(), ..Catalogue::default() }
}

async fn a_drained_worker_is_told_and_a_removed_one_is_ended(database: TestDatabase) -> anyhow::Result<()> {
    let (app, fleet) = fleet(&database).await?;
    let serving = tokio::spawn(fleet.clone().run());
    let mut answers = session(&fleet, Vec::new()).await?;
    app.drain_worker(&"w".into()).await?;
    let said = timeout(PATIENCE, answers.next()).await?.unwrap()?.message;
    assert!(matches!(said, Some(Hears::Drain(_))), "{said:?}");
    app.undrain_worker(&"w".into()).await?;
    let said = timeout(PATIENCE, answers.next()).await?.unwrap()?.message;
    assert!(matches!(said, Some(Hears::Undrain(_))), "{said:?}");
    app.remove_worker(&"w".into()).await?;
    let last = timeout(PATIENCE, answers.next()).await?.unwrap().unwrap_err();
    assert_eq!((last.code(), &*reason(&last)), (Code::NotFound, "WORKER_NOT_FOUND"));
    assert!(timeout(PATIENCE, answers.next()).await?.is_none() && fleet.connected().is_empty());
    serving.abort();
    Ok(())
}
