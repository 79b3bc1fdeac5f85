//! 1,000 watchers of one event stream: how long after a change is asked for each of them is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{
    Connection,
    proto::event::{EventKind, WatchRequest},
};
use sprout_e2e::DatabaseKind;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::timeout,
};

use super::{api::extend, checkout::prepared};
use crate::{
    report::{Report, Row},
    samples::Samples,
    services::Services,
    usage::Meter,
};

const WATCHERS: usize = 1000;
const CHANGES: usize = 50;
/// A change that was not told to all by then is lost.
const LOST: Duration = Duration::from_secs(20);

pub(crate) async fn run(services: &Services, report: &mut Report) -> Result<()> {
    let installation = prepared(DatabaseKind::Postgres, services).await?;
    // 50 streams per connection, as few programs hold more.
    let clients = installation.connections(WATCHERS / 50).await?;
    let (told, mut heard) = mpsc::unbounded_channel();
    let (open, ready) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut watchers = JoinSet::new();
    for n in 0..WATCHERS {
        let (client, told, open, ready) =
            (clients[n % clients.len()].clone(), told.clone(), open.clone(), ready.clone());
        watchers.spawn(async move {
            let mut events = client.events().watch(WatchRequest::default()).await?.into_inner();
            while let Some(message) = events.message().await? {
                match message.event {
                    Some(event) if event.kind() == EventKind::PoolExtended => told.send(Instant::now())?,
                    None if open.fetch_add(1, Ordering::SeqCst) + 1 == WATCHERS => ready.notify_one(),
                    _ => {}
                }
            }
            anyhow::Ok(())
        });
    }
    timeout(LOST, ready.notified()).await.context("not all watches could be opened")?;

    let client: Connection = installation.connect().await?;
    let (each, last) = (Samples::new()?, Samples::new()?);
    let meter = Meter::start(installation.watched())?;
    for _ in 0..CHANGES {
        let began = Instant::now();
        extend(client.clone(), 1).await?;
        let mut latest = Duration::ZERO;
        for n in 0..WATCHERS {
            let at = timeout(LOST, heard.recv()).await.with_context(|| format!("only {n} watchers were told"))?;
            let took = at.context("all watchers ended")?.duration_since(began);
            latest = latest.max(took);
            each.add(took);
        }
        last.add(latest);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let used = meter.stop();
    ensure!(watchers.try_join_next().is_none(), "a watch ended");
    let row = Row::new("watch.each", "1,000 watchers: from the change's call to each being told").samples(&each);
    report.add(row.used(used))?;
    report.add(Row::new("watch.last", "1,000 watchers: until the last one is told").samples(&last))?;
    drop(watchers);
    installation.stop().await
}
