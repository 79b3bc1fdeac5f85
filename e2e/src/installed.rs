//! The frame of a test on a whole installation with several servers.

use std::env;

use anyhow::{Context as _, Result, ensure};
use sprout_test_support::database::{EmptyDatabase, Kind};

use crate::{Installation, LONG, Plan, Service, process::keep_logs};

/// What is not shared with other tests, so that it can be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Private {
    /// Only the processes.
    Nothing,
    /// The PostgreSQL.
    Postgres,
    /// The Redis.
    Redis,
}

/// What a test has.
pub struct Installed {
    /// The processes.
    pub world: Installation,
    /// How they were started.
    pub plan: Plan,
    service: Option<Service>,
    _database: EmptyDatabase,
}

impl Installed {
    /// The service that is this test's own.
    pub fn service(&self) -> Result<&Service> {
        self.service.as_ref().context("this test has no service of its own")
    }

    /// None if what it needs is not there, and not required.
    async fn start(private: Private, change: impl FnOnce(&mut Plan)) -> Result<Option<Self>> {
        let Some(database) = EmptyDatabase::new(Kind::Postgres).await? else { return Ok(None) };
        let Ok(redis) = env::var("SPROUT_TEST_REDIS") else {
            ensure!(env::var_os("SPROUT_TEST_REQUIRE").is_none(), "SPROUT_TEST_REDIS is not set");
            return Ok(None);
        };
        let service = match private {
            Private::Nothing => None,
            Private::Postgres => Some(Service::start("postgres").await?),
            Private::Redis => Some(Service::start("redis").await?),
        };
        let own = |kind: Private| service.as_ref().filter(|_| private == kind).map(Service::url);
        let mut plan = Plan::new(
            own(Private::Postgres).unwrap_or_else(|| database.url()),
            own(Private::Redis).unwrap_or(redis.as_str()),
        );
        change(&mut plan);
        let world = Installation::start(&plan, async |address| Ok(format!("http://{address}"))).await?;
        world.until_workers_are_there().await?;
        Ok(Some(Self { world, plan, service, _database: database }))
    }
}

/// Plays a test on an installation, if a PostgreSQL and a Redis are there.
///
/// # Panics
/// If the test fails.
pub fn installed(private: Private, change: impl FnOnce(&mut Plan), test: impl AsyncFnOnce(&Installed) -> Result<()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a run time");
    let outcome = runtime.block_on(async {
        let Some(installed) = Installed::start(private, change).await? else {
            println!("skipped: SPROUT_TEST_POSTGRES or SPROUT_TEST_REDIS is not set; see scripts/service.sh");
            return Ok(());
        };
        let played = tokio::time::timeout(LONG, test(&installed)).await.context("the test took too long").flatten();
        let logs = installed.world.directory();
        played.with_context(|| format!("logs are in {}", keep_logs(logs)))
    });
    if let Err(error) = outcome {
        panic!("{error:?}");
    }
}
