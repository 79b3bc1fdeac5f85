//! PostgreSQL behind a proxy that the test can stop, cut and open again: calls fail soon, and work again soon.

use anyhow::Context as _;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sprout_app::ports::Store as _;
use sprout_domain::{Reason, Secret};
use sprout_store::{SeaStore, StoreOptions};
use sprout_test_support::database::{Kind, TestDatabase};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    time::timeout,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Open,
    /// Nothing passes, and nothing is refused: as if the server were stopped.
    Silent,
    /// Connections break.
    Cut,
}

/// Passes bytes on as long as the line is open.
async fn pass(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 65_536];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = line.wait_for(|line| *line == Line::Cut) => return,
        };
        let Ok(some @ 1..) = read else { return };
        if line.wait_for(|line| *line != Line::Silent).await.is_err() || *line.borrow() == Line::Cut {
            return;
        }
        if to.write_all(&buffer[..some]).await.is_err() {
            return;
        }
    }
}

/// A line to the server of this URL, and the URL that leads through it.
async fn proxied(url: &str) -> anyhow::Result<(String, watch::Sender<Line>)> {
    let (url, _) = url.split_once('?').unwrap_or((url, ""));
    let (user, place) = url.rsplit_once('@').unwrap();
    let (server, database) = place.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let through = format!("{user}@{}/{database}", listener.local_addr()?);
    let (sender, line) = watch::channel(Line::Open);
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            if *line.borrow() == Line::Cut {
                continue;
            }
            let Ok(far) = TcpStream::connect(&server).await else { continue };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near_in, far_out, line.clone()));
            tokio::spawn(pass(far_in, near_out, line.clone()));
        }
    });
    Ok((through, sender))
}

async fn commits(store: &SeaStore) -> sprout_domain::Result<()> {
    let mut tx = store.write().await?;
    tx.providers().await?;
    tx.commit().await
}

/// Calls under way and new ones fail within two seconds, and from then on at once; they work within two seconds of the return.
async fn survives(store: &Arc<SeaStore>, line: &watch::Sender<Line>, outage: Line) -> anyhow::Result<()> {
    let under_way = store.write().await?;
    let mut answers = store.answers();
    line.send_replace(outage);
    let began = Instant::now();
    let callers = (0..40).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { commits(&store).await })
    });
    for call in callers.collect::<Vec<_>>() {
        let error = timeout(Duration::from_secs(5), call).await??.err().context("there was a database")?;
        assert_eq!(error.reason, Reason::DatabaseUnavailable, "{error}");
    }
    assert!(under_way.commit().await.is_err());
    assert!(began.elapsed() < Duration::from_millis(2500), "calls failed after {:?}", began.elapsed());
    timeout(Duration::from_secs(3), answers.wait_for(|answers| !answers)).await??;
    let again = Instant::now();
    assert!(commits(store).await.is_err());
    assert!(
        again.elapsed() < Duration::from_millis(50),
        "what is known to be away was waited for: {:?}",
        again.elapsed()
    );

    line.send_replace(Line::Open);
    let back = Instant::now();
    // Told, not tried: a call that meets its answer at once succeeds even before.
    timeout(Duration::from_secs(10), answers.wait_for(|answers| *answers)).await??;
    assert!(back.elapsed() < Duration::from_millis(2500), "it took {:?}", back.elapsed());
    // No stale connection is left that a call could meet.
    for _ in 0..40 {
        commits(store).await?;
    }
    assert!(*answers.borrow_and_update());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_told_soon_and_found_again() -> anyhow::Result<()> {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await? else { return Ok(()) };
    let (url, line) = proxied(database.url()).await?;
    let store = Arc::new(SeaStore::open(&StoreOptions::new(Secret::new(url))).await?);
    commits(&store).await?;
    survives(&store, &line, Line::Silent).await?;
    survives(&store, &line, Line::Cut).await?;
    survives(&store, &line, Line::Silent).await?;
    store.close().await;
    Ok(())
}
