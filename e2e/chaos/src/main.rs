//! Chaos: two servers, three workers, a simulated provider, PostgreSQL and Redis under load, while processes are killed, frozen and cut off. Then quiet,
//! and the promises are checked: against the event log, the database and the provider's own journal.
#![allow(clippy::print_stdout, clippy::print_stderr)] // its report

mod check;
mod fault;
mod load;
mod proxy;
mod world;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Parser;
use tokio::{task::LocalSet, time::Instant};

use crate::{check::Report, fault::Faults, load::Load, world::World};

/// Plays faults against a whole installation under load, and checks that nothing was lost, granted twice or left over.
#[derive(Debug, Parser)]
struct Args {
    /// How long faults are played
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Seed of the faults and the load; what the machine makes of them differs from run to run
    #[arg(long)]
    seed: Option<u64>,
    /// Users that request pools at the same time
    #[arg(long, default_value_t = 12)]
    users: u32,
    /// Directory of the private services of scripts/service.sh
    #[arg(long, value_name = "DIR")]
    services: PathBuf,
}

// One thread: it must not take the processors from those who are tested.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match LocalSet::new().run_until(run(Args::parse())).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<bool> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    println!("chaos: {} min of faults, {} users, seed {seed}", args.minutes, args.users);
    let world = World::start(&args.services).await?;
    println!(
        "chaos: 2 servers, 3 workers and the simulated provider are up; logs in {}",
        world.installation.directory().display()
    );
    let load = Load::start(&world, args.users, seed)?;
    let until = Instant::now() + Duration::from_secs_f64(args.minutes * 60.0);
    let faults = Faults::play(&world, until, seed).await?;
    println!("chaos: the faults are over; waiting for quiet");
    let served = load.finish().await?;
    let report = Report::make(&world, &served, &faults).await?;
    let fine = report.print(seed);
    world.stop(fine).await?;
    Ok(fine)
}
