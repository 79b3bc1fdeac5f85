//! 50,000 appliances: what they cost while nothing happens, and what a checkout costs beside them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sprout_e2e::DatabaseKind;

use super::checkout::{one_by_one, prepared};
use crate::{
    report::{Report, Row},
    seed::Seed,
    services::Services,
    usage::{Meter, resident_mib},
};

/// How long nothing happens; before it, everything settles for a while.
const IDLE: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(10);

pub(crate) async fn run(services: &Services, report: &mut Report) -> Result<()> {
    let mut installation = prepared(DatabaseKind::Postgres, services).await?;
    installation.seed(Seed { warm: 600, leased: 0 }).await?;
    let few = one_by_one(&installation, 400).await?;
    report.add(Row::new("scale.500", "warm checkout beside 500 appliances").samples(&few))?;

    installation.seed(Seed { warm: 5000, leased: 45_000 }).await?;
    tokio::time::sleep(SETTLE).await;
    let meter = Meter::start(installation.watched())?;
    tokio::time::sleep(IDLE).await;
    let used = meter.stop();
    let server = used.iter().find(|one| one.process == "server").context("the server has ended")?;
    let percent = server.cores * 100.0;
    let memory = resident_mib(installation.server.as_ref().context("the server has ended")?.pid)?;
    let row =
        Row::new("scale.idle", "50,000 appliances, nothing to do: the server").figure("CPU", percent, "% of a core");
    report.add(row.figure("memory", memory, "MiB").used(used))?;

    let many = one_by_one(&installation, 400).await?;
    let ratio = many.at_ms(0.5) / few.at_ms(0.5);
    let row = Row::new("scale.50000", "warm checkout beside 50,000 appliances").samples(&many);
    let row = row.figure("p50 to that beside 500", ratio, "×");
    let memory = resident_mib(installation.server.as_ref().context("the server has ended")?.pid)?;
    report.add(row.figure("server memory after", memory, "MiB").note("5,000 warm, 45,000 leased, copied by SQL"))?;
    installation.stop().await
}
