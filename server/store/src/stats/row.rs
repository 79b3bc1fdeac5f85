//! Samples as rows.

use std::time::Duration;

use sea_orm::Value;
use sprout_domain::{
    appliance::ApplianceState,
    stats::{Flows, Levels, Peaks, Sample, Waits},
};

use crate::{entities::sample::Model, tx::SeaTx};

/// The columns, in the order of [`values`].
pub(super) const COLUMNS: [&str; 45] = [
    "at",
    "seconds",
    "sequence",
    "waiting_pools",
    "waiting_seats",
    "appliances_requested",
    "appliances_cloning",
    "appliances_starting",
    "appliances_preparing",
    "appliances_ready",
    "appliances_stopping",
    "appliances_off",
    "appliances_suspending",
    "appliances_suspended",
    "appliances_killing",
    "appliances_failed",
    "appliances_orphaned",
    "warm",
    "workers",
    "slots",
    "running_tasks",
    "most_waiting_pools",
    "most_waiting_seats",
    "most_running_tasks",
    "pools_requested",
    "pools_failed",
    "granted_warm",
    "deployed",
    "deployments_failed",
    "workflows_failed",
    "tasks_done",
    "tasks_failed",
    "ready_in_100ms",
    "ready_in_1s",
    "ready_in_5s",
    "ready_in_15s",
    "ready_in_30s",
    "ready_in_1m",
    "ready_in_2m",
    "ready_in_5m",
    "ready_in_10m",
    "ready_in_20m",
    "ready_in_1h",
    "ready_later",
    "longest_wait_ms",
];

/// A width as stored.
pub(super) fn seconds(width: Duration) -> i64 {
    i64::try_from(width.as_secs()).unwrap_or(i64::MAX)
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A sample as stored.
pub(super) fn values(tx: &SeaTx, sample: &Sample) -> Vec<Value> {
    let Sample { at, width, sequence, levels, peaks, flows } = sample;
    let level = |of: fn(&Levels) -> u64| Value::BigInt(levels.as_ref().map(|levels| stored(of(levels))));
    let of = |state: ApplianceState| {
        let count = |levels: &Levels| stored(levels.appliances.get(&state).copied().unwrap_or_default());
        Value::BigInt(levels.as_ref().map(count))
    };
    let peak = |of: fn(&Peaks) -> u64| Value::BigInt(peaks.as_ref().map(|peaks| stored(of(peaks))));
    let mut values = vec![tx.time(*at), seconds(*width).into(), (*sequence).into()];
    values.extend([level(|levels| levels.waiting_pools), level(|levels| levels.waiting_seats)]);
    values.extend([
        of(ApplianceState::Requested),
        of(ApplianceState::Cloning),
        of(ApplianceState::Starting),
        of(ApplianceState::Preparing),
        of(ApplianceState::Ready),
        of(ApplianceState::Stopping),
        of(ApplianceState::Off),
        of(ApplianceState::Suspending),
        of(ApplianceState::Suspended),
        of(ApplianceState::Killing),
        of(ApplianceState::Failed),
        of(ApplianceState::Orphaned),
    ]);
    values.extend([
        level(|levels| levels.warm),
        level(|levels| levels.workers),
        level(|levels| levels.slots),
        level(|levels| levels.running_tasks),
        peak(|peaks| peaks.waiting_pools),
        peak(|peaks| peaks.waiting_seats),
        peak(|peaks| peaks.running_tasks),
    ]);
    let Flows {
        pools_requested,
        pools_failed,
        waits,
        granted_warm,
        deployed,
        appliances_failed,
        workflows_failed,
        tasks_done,
        tasks_failed,
    } = flows;
    let counts = [
        pools_requested,
        pools_failed,
        granted_warm,
        deployed,
        appliances_failed,
        workflows_failed,
        tasks_done,
        tasks_failed,
    ];
    values.extend(counts.into_iter().chain(&waits.buckets).map(|count| Value::from(stored(*count))));
    values.push(i64::try_from(waits.longest.as_millis()).unwrap_or(i64::MAX).into());
    values
}

impl From<Model> for Sample {
    fn from(row: Model) -> Self {
        let count = |number: Option<i64>| number.unwrap_or_default().unsigned_abs();
        let levels = row.waiting_pools.map(|waiting_pools| Levels {
            waiting_pools: waiting_pools.unsigned_abs(),
            waiting_seats: count(row.waiting_seats),
            appliances: [
                (ApplianceState::Requested, row.appliances_requested),
                (ApplianceState::Cloning, row.appliances_cloning),
                (ApplianceState::Starting, row.appliances_starting),
                (ApplianceState::Preparing, row.appliances_preparing),
                (ApplianceState::Ready, row.appliances_ready),
                (ApplianceState::Stopping, row.appliances_stopping),
                (ApplianceState::Off, row.appliances_off),
                (ApplianceState::Suspending, row.appliances_suspending),
                (ApplianceState::Suspended, row.appliances_suspended),
                (ApplianceState::Killing, row.appliances_killing),
                (ApplianceState::Failed, row.appliances_failed),
                (ApplianceState::Orphaned, row.appliances_orphaned),
            ]
            .into_iter()
            .map(|(state, number)| (state, count(number)))
            .filter(|(_, number)| *number > 0)
            .collect(),
            warm: count(row.warm),
            workers: count(row.workers),
            slots: count(row.slots),
            running_tasks: count(row.running_tasks),
        });
        let peaks = row.most_waiting_pools.map(|waiting_pools| Peaks {
            waiting_pools: waiting_pools.unsigned_abs(),
            waiting_seats: count(row.most_waiting_seats),
            running_tasks: count(row.most_running_tasks),
        });
        let buckets = [
            row.ready_in_100ms,
            row.ready_in_1s,
            row.ready_in_5s,
            row.ready_in_15s,
            row.ready_in_30s,
            row.ready_in_1m,
            row.ready_in_2m,
            row.ready_in_5m,
            row.ready_in_10m,
            row.ready_in_20m,
            row.ready_in_1h,
            row.ready_later,
        ];
        let flows = Flows {
            pools_requested: row.pools_requested.unsigned_abs(),
            pools_failed: row.pools_failed.unsigned_abs(),
            waits: Waits {
                buckets: buckets.map(i64::unsigned_abs),
                longest: Duration::from_millis(row.longest_wait_ms.unsigned_abs()),
            },
            granted_warm: row.granted_warm.unsigned_abs(),
            deployed: row.deployed.unsigned_abs(),
            appliances_failed: row.deployments_failed.unsigned_abs(),
            workflows_failed: row.workflows_failed.unsigned_abs(),
            tasks_done: row.tasks_done.unsigned_abs(),
            tasks_failed: row.tasks_failed.unsigned_abs(),
        };
        let width = Duration::from_secs(row.seconds.unsigned_abs());
        Self { at: row.at, width, sequence: row.sequence, levels, peaks, flows }
    }
}
