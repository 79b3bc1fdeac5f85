//! A warm checkout: one `RequestPool` for one appliance that is warm, one client, one after the other.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};
use sprout_client::proto::pool::{PoolState, RequestPoolRequest};
use sprout_test_support::database::{EmptyDatabase, Kind};

use crate::{
    installation::Installation,
    table::{Samples, print_head, print_row},
};

/// Calls before measuring begins.
const WARM_UP: u32 = 100;

/// A warm checkout.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Checkouts to measure.
    #[arg(long, default_value_t = 1000)]
    samples: u32,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    println!("One client, one request at a time, every answer durable. {}", machine());
    for (title, kind) in [("SQLite (WAL, synchronous=FULL)", Kind::Sqlite), ("PostgreSQL (fsync on)", Kind::Postgres)] {
        match EmptyDatabase::new(kind).await? {
            Some(database) => measure(title, database.url(), arguments.samples).await?,
            None => println!("\n{title}: not measured, SPROUT_TEST_POSTGRES names no server"),
        }
    }
    Ok(())
}

async fn measure(title: &str, url: &str, samples: u32) -> Result<()> {
    let installation = Installation::start(url, samples + WARM_UP).await?;
    let mut checkouts = Samples::new()?;
    for n in 0..samples + WARM_UP {
        let request = RequestPoolRequest {
            request_id: uuid::Uuid::new_v4().to_string(),
            group: "bench".into(),
            count: 1,
            ..RequestPoolRequest::default()
        };
        let began = Instant::now();
        let answer = installation.client.pools().request_pool(request).await?;
        let took = began.elapsed();
        let pool = answer.into_inner().pool.context("a pool")?;
        ensure!(pool.state() == PoolState::Ready && pool.appliances.len() == 1, "checkout {n} was not served at once");
        if n >= WARM_UP {
            checkouts.add(took)?;
        }
    }
    let commits = bare_commits(url, samples).await?;
    print_head(title);
    print_row("warm checkout through gRPC", &checkouts);
    print_row("one bare one-row commit", &commits);
    println!("a checkout costs {:.1} bare commits at the median", checkouts.at_ms(0.5) / commits.at_ms(0.5));
    Ok(())
}

/// The floor: what the database needs to make one changed row durable, with the same library and settings, without a server between.
async fn bare_commits(url: &str, samples: u32) -> Result<Samples> {
    let database: DatabaseConnection = Database::connect(quiet(url)).await?;
    if url.starts_with("sqlite:") {
        database.execute_unprepared("pragma journal_mode = wal").await?;
        database.execute_unprepared("pragma synchronous = full").await?;
    }
    database.execute_unprepared("create table bench (n bigint not null)").await?;
    database.execute_unprepared("insert into bench values (0)").await?;
    let mut commits = Samples::new()?;
    for n in 0..samples + WARM_UP {
        let began = Instant::now();
        database.execute_unprepared("update bench set n = n + 1").await?;
        if n >= WARM_UP {
            commits.add(began.elapsed())?;
        }
    }
    database.close().await?;
    Ok(commits)
}

fn quiet(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    options
}

/// Processor and cores, for whoever reads the numbers later.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    format!("{} cores, {name}", std::thread::available_parallelism().map_or(0, usize::from))
}
