//! Sessions of workers that say nothing, on a real database of each kind.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use sprout_app::{
    App, LocalBus,
    ports::{LogOf, LogStore, Ports},
};
use sprout_domain::{Catalogue, Result};
use sprout_fleet::Fleet;
use sprout_proto::worker::{
    Heartbeat, Hello, SessionRequest, session_request::Message as Says, session_response::Message as Hears,
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

on_each_database!(a_session_in_which_nothing_is_said_ends, a_session_that_speaks_goes_on);

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
        Some((says(Says::Heartbeat(Heartbeat {})), ()))
    });
    let mut answers = fleet.session("w".into(), stream::iter([says_hello()]).chain(beats).boxed()).await?;
    assert!(answers.next().await.is_some(), "welcome");
    let before = app.workers().await?[0].last_heard_at;
    assert!(timeout(Duration::from_secs(12), answers.next()).await.is_err(), "nothing, and not the end");
    let later = app.workers().await?[0].last_heard_at;
    assert!((later - before).num_seconds() >= 8, "{before} {later}");
    Ok(())
}
