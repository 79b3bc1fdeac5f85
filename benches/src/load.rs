//! Load. Where a rate is given, calls begin when they are due, whether or not earlier ones were answered, and their time counts from then: a server that
//! stalls is charged for everyone who had to wait (no coordinated omission).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Error, Result, bail};
use tokio::{sync::mpsc, task::JoinSet};

use crate::samples::Samples;

/// Calls at a rate, for a time. Ends early, with an error, at the first call that fails or when more than `most` have no answer.
pub(crate) async fn open_loop<F>(
    rate: f64,
    time: Duration,
    most: usize,
    call: impl Fn(u64) -> F,
) -> Result<Arc<Samples>>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let samples = Arc::new(Samples::new()?);
    let (tell, mut due) = mpsc::unbounded_channel();
    // A thread of its own: the run time's timer is too coarse, by up to a millisecond.
    thread::spawn(move || {
        let began = Instant::now() + Duration::from_millis(5);
        for n in 0.. {
            #[allow(clippy::cast_precision_loss)] // far below 2^52
            let after = Duration::from_secs_f64(n as f64 / rate);
            let at = began + after;
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if after >= time || tell.send((n, at)).is_err() {
                return;
            }
        }
    });
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            next = due.recv() => {
                let Some((n, at)) = next else { break };
                let (call, samples) = (call(n), samples.clone());
                calls.spawn(async move {
                    call.await?;
                    samples.add(at.elapsed());
                    anyhow::Ok(())
                });
            }
            Some(ended) = calls.join_next() => ended??,
        }
        if calls.len() > most {
            bail!("more than {most} calls were without an answer");
        }
    }
    while let Some(ended) = calls.join_next().await {
        ended??;
    }
    Ok(samples)
}

/// So many calls at one moment; the time of each counts from that moment. Returns those that were refused, too.
pub(crate) async fn burst<F>(count: u64, call: impl Fn(u64) -> F) -> Result<(Arc<Samples>, Vec<Error>)>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let samples = Arc::new(Samples::new()?);
    let mut calls = JoinSet::new();
    let began = Instant::now();
    for n in 0..count {
        let (call, samples) = (call(n), samples.clone());
        calls.spawn(async move {
            let answer = call.await;
            samples.add(began.elapsed());
            answer
        });
    }
    let mut refused = Vec::new();
    while let Some(ended) = calls.join_next().await {
        refused.extend(ended?.err());
    }
    Ok((samples, refused))
}

/// Clients that each call again as soon as they were answered, for a time: answers per second, the most there can be.
pub(crate) async fn saturate<F>(
    clients: u64,
    time: Duration,
    call: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Result<f64>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let answered = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut all = JoinSet::new();
    for client in 0..clients {
        let (call, answered) = (call.clone(), answered.clone());
        all.spawn(async move {
            while began.elapsed() < time {
                call(client).await?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.context("a client")??;
    }
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    Ok(answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}
