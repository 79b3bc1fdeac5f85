//! Server and worker are killed with SIGKILL around the steps of every operation; what was asked for is done all the same, once, and the provider
//! says so.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use sprout_e2e::{DatabaseKind, Lab, LabOptions, Operated, ProviderKind, Told, crash_points, scenario};

/// An operation, and what is to be so after it.
struct Case {
    verb: &'static str,
    argument: Option<&'static str>,
    /// Steps around which there are kills: its own. What it shares with deployments is killed around there.
    steps: &'static [&'static str],
    state: &'static str,
    told: fn(&Told, &Told) -> bool,
}

/// On a container: each begins where the one before it ends, and the first where the last one does.
const CONTAINER: [Case; 7] = [
    Case { verb: "stop", argument: None, steps: &["stop"], state: "off", told: |now, _| now.state == "exited" },
    Case {
        verb: "start",
        argument: None,
        steps: &["start", "wait_ready"],
        state: "ready",
        told: |now, before| now.state == "running" && now.id == before.id,
    },
    Case {
        verb: "suspend",
        argument: None,
        steps: &["suspend"],
        state: "suspended",
        told: |now, before| now.state == "paused" && now.run == before.run,
    },
    Case {
        verb: "resume",
        argument: None,
        steps: &["resume"],
        state: "ready",
        told: |now, before| now.state == "running" && now.run == before.run,
    },
    Case {
        verb: "reboot",
        argument: None,
        steps: &["reboot"],
        state: "ready",
        told: |now, before| now.state == "running" && now.run != before.run && now.id == before.id,
    },
    Case { verb: "rename", argument: Some("%"), steps: &["rename"], state: "ready", told: |now, before| now == before },
    Case {
        verb: "reset",
        argument: Some("--yes"),
        steps: &["stop", "delete", "wait_gone", "clone", "wait_ready"],
        state: "ready",
        told: |now, before| now.state == "running" && now.id != before.id,
    },
];

/// On a machine: what containers have not.
const MACHINE: [Case; 2] = [
    Case {
        verb: "attach-disk",
        argument: Some("16"),
        steps: &["attach_disk"],
        state: "off",
        told: |now, before| now.disks == before.disks + 1,
    },
    Case {
        verb: "detach-disk",
        argument: None,
        steps: &["detach_disk"],
        state: "off",
        told: |now, before| now.disks + 1 == before.disks,
    },
];

fn options(cases: &[Case]) -> LabOptions {
    let steps: BTreeSet<_> = cases.iter().flat_map(|case| case.steps).collect();
    let crash_at = steps.into_iter().flat_map(|step| crash_points(step)).collect();
    LabOptions { crash_at, crash_later: true, ..LabOptions::default() }
}

async fn survive(lab: Lab, cases: &[Case]) -> Result<Lab> {
    let mut one = Operated::requested(lab).await?;
    if one.is(ProviderKind::Libvirt) {
        one.done("stop", &[], "off").await?;
    }
    let points = |case: &Case| case.steps.iter().flat_map(|step| crash_points(step)).collect::<BTreeSet<_>>();
    let mut planned: Vec<_> = cases.iter().map(points).collect();
    let all: usize = planned.iter().map(BTreeSet::len).sum();
    // A point after a commit is passed unseen when another one kills the process in between. So it is done again until all were hit.
    for round in 0.. {
        for (case, left) in cases.iter().zip(&mut planned) {
            let before = one.told().await?;
            left.iter().try_for_each(|point| one.lab.arm(point))?;
            let name = format!("db-{}-{round}", std::process::id());
            let arguments: Vec<_> = case.argument.iter().map(|text| text.replace('%', &name)).collect();
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let old = one.name.clone();
            let now = one.done_at_last(case.verb, &arguments, case.state).await?;
            ensure!((case.told)(&now, &before), "{}: the provider says {now:?}, and {before:?} before it", case.verb);
            ensure!(case.verb != "rename" || one.lab.provider.told(&old).await?.is_none(), "{old} is there as well");
            let mut missed = BTreeSet::new();
            for point in std::mem::take(left) {
                if !one.lab.disarm(&point)? {
                    missed.insert(point);
                }
            }
            *left = missed;
        }
        if planned.iter().all(BTreeSet::is_empty) {
            break;
        }
        ensure!(round < 5, "nobody was killed at {planned:?}");
    }
    // Whoever was killed last is started again a moment after what it had done was seen.
    let lab = &one.lab;
    lab.until("every point killed its process once", async || {
        let kills = lab.server.kills() + lab.worker.kills();
        ensure!(kills as usize == all, "{kills} kills for {all} points");
        lab.pool(1).await
    })
    .await?;
    one.killed().await
}

#[test]
fn sqlite_container_survives_kills() {
    let test = async |lab| survive(lab, &CONTAINER).await;
    scenario(DatabaseKind::Sqlite, ProviderKind::Container, test, options(&CONTAINER));
}

#[test]
fn postgres_container_survives_kills() {
    let test = async |lab| survive(lab, &CONTAINER).await;
    scenario(DatabaseKind::Postgres, ProviderKind::Container, test, options(&CONTAINER));
}

#[test]
fn sqlite_libvirt_survives_kills() {
    let test = async |lab| survive(lab, &MACHINE).await;
    scenario(DatabaseKind::Sqlite, ProviderKind::Libvirt, test, options(&MACHINE));
}
