//! Each step of a deployment and a kill: failed in each way, repeated, and its server killed before and after each commit.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use anyhow::{Context as _, Result};
use sprout_simulation::{Database, Kind, Mishap, Plan, Reason, Report, Side, run};
use tokio::runtime::{Builder, Runtime};

/// A database with where it is driven from.
struct Lab {
    outside: Runtime,
    database: Database,
}

impl Lab {
    fn run(&self, plan: &Plan) -> Result<Report> {
        let plan = Plan { whole_trace: true, ..plan.clone() };
        let report = run(&self.outside, &self.database, &plan).with_context(|| format!("{plan:?}"))?;
        anyhow::ensure!(
            report.violations.is_empty(),
            "{plan:?}: {:#?}\n{}",
            report.violations,
            report.trace.join("\n")
        );
        Ok(report)
    }
}

/// Runs a test on both databases.
fn on_each_database(test: impl Fn(&Lab) -> Result<()>) -> Result<()> {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let outside = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        if let Some(database) = outside.block_on(Database::new(kind))? {
            test(&Lab { outside, database }).with_context(|| format!("on {kind:?}"))?;
        }
    }
    Ok(())
}

/// The server dies before and after each of the commits that a day without faults has.
#[test]
fn a_server_may_die_at_any_commit() -> Result<()> {
    on_each_database(|lab| {
        let commits = lab.run(&Plan::calm(1))?.commits;
        assert!(commits > 20, "{commits}");
        for commit in 1..=commits {
            for side in [Side::Before, Side::After] {
                let report = lab.run(&Plan { dies_at: Some((commit, side)), ..Plan::calm(1) })?;
                assert!(report.trace.iter().any(|line| line.contains(&format!("dies {side:?} commit {commit}"))));
                assert_eq!(report.pool.as_deref(), Some("ready"), "{side:?} {commit}: {}", report.trace.join("\n"));
                once_each(&report);
            }
        }
        Ok(())
    })
}

/// The answer is lost after it was done, or it is done and said to have failed, or done late: the step is repeated, and finds it done.
#[test]
fn a_step_may_be_repeated() -> Result<()> {
    on_each_database(|lab| {
        // What is cloned carries its marks at once; they are not written again.
        for call in ["clone", "start", "stop", "delete"] {
            for mishap in
                [Mishap::LostAnswer, Mishap::ActsAndFails, Mishap::LostRequest, Mishap::ActsLate, Mishap::Slow]
            {
                let report = lab.run(&Plan { orders: vec![(call, mishap)], ..Plan::calm(2) })?;
                assert!(report.trace.iter().any(|line| line.contains(&format!("{mishap:?}"))), "{call} was not called");
                assert_eq!(report.pool.as_deref(), Some("ready"), "{call} {mishap:?}: {}", report.trace.join("\n"));
                once_each(&report);
            }
        }
        Ok(())
    })
}

/// A step that fails for good: the deployment is undone, and the pool gets another appliance; a kill goes on until all is gone.
#[test]
fn a_step_that_fails_is_undone() -> Result<()> {
    on_each_database(|lab| {
        for call in ["clone", "start", "stop", "delete"] {
            for reason in [Reason::AccessDenied, Reason::NoCapacity, Reason::ApplianceBroken, Reason::Unsupported] {
                let orders = vec![(call, Mishap::Refused(reason))];
                let report = lab.run(&Plan { orders, ..Plan::calm(3) })?;
                let (made, _) = report.acts["clone"];
                let (deleted, _) = report.acts["delete"];
                assert_eq!(made, deleted, "{call} {reason:?}: {}", report.trace.join("\n"));
                assert!(report.pool.is_some(), "{call} {reason:?}: {}", report.trace.join("\n"));
            }
        }
        Ok(())
    })
}

/// Nothing was done to a machine a second time.
fn once_each(report: &Report) {
    for (call, (total, most)) in &report.acts {
        assert!(*total <= 1 && *most <= 1, "{call} was done {total} times: {}", report.trace.join("\n"));
    }
}
