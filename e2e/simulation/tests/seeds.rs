//! Stormy days, each from a number. `SPROUT_SIMULATION_SEEDS=FROM..TO` runs others, `SPROUT_SIMULATION_SEED=N` a single one with
//! its whole trace.
//!
//! By default as many as two cores live through in about a minute in an unoptimised build: a SQLite day takes some 0.6 s of one, a PostgreSQL
//! day somewhat less. `make simulate` runs more.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests, outside of the test functions

use std::{
    env,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use sprout_simulation::{Database, Kind, Plan, Report, run};
use tokio::runtime::{Builder, Runtime};

#[test]
fn sqlite() {
    days(Kind::Sqlite, 80);
}

#[test]
fn postgres() {
    days(Kind::Postgres, 25);
}

/// On SQLite to the last message. On PostgreSQL the faults are the same, but rows that are alike come in an order of its own.
#[test]
fn a_day_from_the_same_number_is_the_same_day() {
    for seed in 1..=4 {
        let [once, again] = [(); 2].map(|()| one(Kind::Sqlite, seed).unwrap().unwrap());
        let differs = once.trace.iter().zip(&again.trace).find(|(one, other)| one != other);
        assert!(once.hash == again.hash, "{seed}: {differs:#?}");
    }
}

fn outside() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn one(kind: Kind, seed: u64) -> Result<Option<Report>> {
    let outside = outside();
    let Some(database) = outside.block_on(Database::new(kind))? else { return Ok(None) };
    let plan = Plan { whole_trace: true, ..Plan::storm(seed) };
    run(&outside, &database, &plan).map(Some)
}

/// The numbers asked for, or the first so many.
fn seeds(count: u64) -> Range<u64> {
    if let Ok(one) = env::var("SPROUT_SIMULATION_SEED") {
        let seed = one.parse().expect("SPROUT_SIMULATION_SEED is a number");
        return seed..seed + 1;
    }
    let Ok(range) = env::var("SPROUT_SIMULATION_SEEDS") else { return 0..count };
    let read = || Some(range.split_once("..")?.0.parse().ok()?..range.split_once("..")?.1.parse().ok()?);
    read().expect("SPROUT_SIMULATION_SEEDS is FROM..TO")
}

#[expect(clippy::print_stderr, reason = "what a test has to say goes where its other output goes")]
fn days(kind: Kind, count: u64) {
    let seeds = seeds(count);
    let single = seeds.clone().count() == 1;
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let begun = Instant::now();
    let totals = [const { AtomicU64::new(0) }; 2];
    let work = || -> Result<bool> {
        let outside = outside();
        let Some(database) = outside.block_on(Database::new(kind))? else { return Ok(false) };
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(true);
            }
            let plan = Plan { whole_trace: single, ..Plan::storm(seed) };
            let report = run(&outside, &database, &plan).with_context(|| format!("seed {seed}"))?;
            totals[0].fetch_add(report.commits, Ordering::Relaxed);
            totals[1].fetch_add(report.elapsed.as_secs(), Ordering::Relaxed);
            if single || !report.violations.is_empty() {
                failed.lock().unwrap().push((seed, report));
            }
            ensure!(failed.lock().unwrap().len() < 10, "too many failed to go on");
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(seeds.clone().count());
    let outcomes: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let [commits, seconds] = totals.map(AtomicU64::into_inner);
    eprintln!("{kind:?}: {seeds:?} in {:?}: {commits} commits in {seconds} simulated seconds", begun.elapsed());
    let mut failed = failed.into_inner().unwrap();
    failed.sort_by_key(|(seed, _)| *seed);
    for (seed, report) in &failed {
        eprintln!("{}", report.trace.join("\n"));
        eprintln!("seed {seed}: {:#?}", report.violations);
        let test = if kind == Kind::Sqlite { "sqlite" } else { "postgres" };
        eprintln!(
            "again: SPROUT_SIMULATION_SEED={seed} cargo nextest run -p sprout-simulation -E 'test(={test})' --no-capture\n"
        );
    }
    for outcome in outcomes {
        match outcome {
            Ok(true) => {}
            Ok(false) => eprintln!("skipped: SPROUT_TEST_POSTGRES names no server"),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(failed.iter().all(|(_, report)| report.violations.is_empty()), "{} seeds failed", failed.len());
}
