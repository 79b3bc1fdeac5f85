//! Durable tasks that do nothing: how many there can be, and how soon a single one starts.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{
    Code, Connection,
    proto::workflow::{GetWorkflowRequest, PingRequest, Workflow, WorkflowState},
};
use sprout_e2e::DatabaseKind;

use super::NotHere;
use crate::{
    installation::Installation,
    report::{Report, Row},
    samples::Samples,
    services::Services,
    usage::Meter,
};

const TASKS: u32 = 20_000;
const SINGLE: u32 = 500;
/// All tasks take less.
const LONG: Duration = Duration::from_secs(60);

pub(crate) async fn run(services: &Services, report: &mut Report) -> Result<()> {
    let mut installation = Installation::start(DatabaseKind::Postgres, services).await?;
    let client = installation.connect().await?;
    let mut puppet = installation.puppet().await?;
    installation.check_provider().await?;
    let samples = Samples::new()?;
    ping(&client, 1).await?;
    puppet.ping().await?;
    let meter = Meter::start(installation.watched())?;
    for n in 0..SINGLE + 50 {
        let began = Instant::now();
        let (_, arrived) = tokio::try_join!(ping(&client, 1), puppet.ping())?;
        if n >= 50 {
            samples.add(arrived.saturating_duration_since(began));
        }
        // Nothing is left to be done for the one before.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let row = Row::new("dispatch.single", "durable task, unloaded: from the call to its start").samples(&samples);
    report.add(row.used(meter.stop()).note("from the call's sending to the assignment's receipt, one clock"))?;
    drop(puppet);

    installation.start_worker("worker-1", 256).await?;
    ended(&client, ping(&client, 200).await?).await?;
    let meter = Meter::start(installation.watched())?;
    let began = Instant::now();
    let parent = ping(&client, TASKS).await?;
    ended(&client, parent).await?;
    let rate = f64::from(TASKS) / began.elapsed().as_secs_f64();
    let row =
        Row::new("dispatch.throughput", "20,000 durable tasks on one worker process").figure("rate", rate, "tasks/s");
    report.add(row.used(meter.stop()).note("from the call that enqueues to the end of the last one; 256 slots"))?;
    installation.stop().await
}

async fn ping(client: &Connection, count: u32) -> Result<Workflow> {
    match client.workflows().ping(PingRequest { provider: "bench".into(), count }).await {
        Ok(answer) => answer.into_inner().workflow.context("a workflow"),
        Err(status) if status.code() == Code::Unimplemented => Err(NotHere("this server has no Ping".into()).into()),
        Err(status) => Err(status.into()),
    }
}

async fn ended(client: &Connection, workflow: Workflow) -> Result<()> {
    let began = Instant::now();
    loop {
        let get = GetWorkflowRequest { id: workflow.id };
        let now = client.workflows().get_workflow(get).await?.into_inner().workflow.context("a workflow")?;
        if now.state() == WorkflowState::Succeeded {
            return Ok(());
        }
        let open = matches!(now.state(), WorkflowState::Pending | WorkflowState::Running);
        ensure!(open, "the pings ended as {:?}: {}", now.state(), now.error);
        ensure!(began.elapsed() < LONG, "{} of {} pings have not ended", now.open_child_count, now.child_count);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
