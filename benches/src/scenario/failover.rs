//! A worker is killed in the middle of a step: how long until its work runs on another one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{
    Code, Connection,
    proto::task::{ListTasksRequest, TaskState},
};

use super::NotHere;
use crate::{
    installation::Installation,
    report::{Report, Row},
    samples::Samples,
    seed::request,
    services::Services,
    sim::{Sim, Times},
};

/// A clone takes longer than everything here.
const TIMES: Times = Times { create: 300_000, start: 0, boot: 0, ready: 0, stop: 0, delete: 0 };
const ROUNDS: u32 = 3;
const LOST: Duration = Duration::from_secs(60);

pub(crate) async fn run(services: &Services, report: &mut Report) -> Result<()> {
    let sim = Sim::start(TIMES)?;
    let mut installation = Installation::with_sim(services, &sim).await?;
    installation.start_worker("worker-0", 16).await?;
    installation.check_provider().await?;
    let client = installation.connect().await?;
    client.pools().request_pool(request(1)).await?;
    let mut victim = somewhere_but(&client, "").await?;
    let samples = Samples::new()?;
    for n in 1..=ROUNDS {
        installation.start_worker(&format!("worker-{n}"), 16).await?;
        // Until its session is open, and a heartbeat of each was heard.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let began = Instant::now();
        installation.kill_worker(&victim).await?;
        victim = somewhere_but(&client, &victim).await?;
        samples.add(began.elapsed());
    }
    report.add(Row::new("failover", "kill -9 of a worker → its step runs on another").samples(&samples))?;
    // It would wait for its clone.
    installation.kill_worker(&victim).await?;
    installation.stop().await?;
    sim.stop().await
}

/// Who runs the deployment's step, once that is another one.
async fn somewhere_but(client: &Connection, not: &str) -> Result<String> {
    let began = Instant::now();
    loop {
        let ask = ListTasksRequest { states: vec![TaskState::Running.into()], ..ListTasksRequest::default() };
        let tasks = match client.tasks().list_tasks(ask).await {
            Ok(answer) => answer.into_inner().tasks,
            Err(status) if status.code() == Code::Unimplemented => {
                return Err(NotHere("this server lists no tasks".into()).into());
            }
            Err(status) => return Err(status).context("tasks"),
        };
        let other = tasks.into_iter().find(|task| task.appliance_id.is_some() && task.worker_id != not);
        if let Some(task) = other {
            return Ok(task.worker_id);
        }
        ensure!(began.elapsed() < LOST, "the step of {not:?} was never given to another worker");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
