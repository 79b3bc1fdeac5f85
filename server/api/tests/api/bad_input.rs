//! What people ask for that cannot be: more than they may, what contradicts itself, operations that are not possible. Each is refused with a
//! reason and a sentence, and changes nothing; and of two who want the last one, one gets it.

use std::collections::BTreeSet;

use sprout_app::ports::Store as _;
use sprout_domain::operation::Capability;
use sprout_proto::{
    appliance::{
        AttachDiskRequest, DetachDiskRequest, GetConsoleRequest, KillApplianceRequest, RebootApplianceRequest,
        RenameApplianceRequest, ResetApplianceRequest, ResumeApplianceRequest, StartApplianceRequest,
        StopApplianceRequest, SuspendApplianceRequest,
    },
    pool::{KillPoolRequest, MergePoolsRequest, PoolState, RequestPoolRequest},
    template::TemplateType,
    user::{Quota, SetQuotaRequest},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    pool_action::{all, ready},
    support::{Served, assert_refused, reason, wanted},
};

on_each_database!(
    requests_beyond_what_one_may_have,
    requests_that_contradict_themselves_or_need_a_permission,
    operations_that_cannot_be,
    pools_that_are_not_alike_stay_two,
    two_who_want_the_last_warm_one,
);

async fn requests_beyond_what_one_may_have(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    ready(&served, "ann", wanted()).await?;
    let before = all(&served).await?;
    let mut staff = served.users(Some(served.token("stan").await?));
    let mut ann = served.pools("ann").await?;
    let none = Quota::default();
    for (quota, count, which, says) in [
        (Quota { appliances_per_pool: Some(2), ..none }, 3, "appliances_per_pool", "at most 2 appliances, not 3"),
        (Quota { pools: Some(1), ..none }, 1, "pools", "1 pools of at most 1"),
        (Quota { appliances: Some(2), ..none }, 2, "appliances", "cannot have 2 more"),
    ] {
        staff.set_quota(SetQuotaRequest { user: "ann".to_owned(), quota: Some(quota) }).await?;
        let refused = ann.request_pool(RequestPoolRequest { count, ..wanted() }).await;
        let status = assert_refused(refused, Code::ResourceExhausted, "QUOTA_EXCEEDED", says);
        let details = status.get_error_details();
        assert_eq!(details.quota_failure().map(|failure| failure.violations[0].subject.as_str()), Some(which));
        assert_eq!(all(&served).await?, before, "{which}");
    }
    Ok(())
}

async fn requests_that_contradict_themselves_or_need_a_permission(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let before = all(&served).await?;
    let mut ann = served.pools("ann").await?;
    let text = |text: &str| Some(text.to_owned());
    for (wrong, code, why, says) in [
        (
            RequestPoolRequest { provider: text("lab"), provider_type: text("libvirt"), ..wanted() },
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "lab",
        ),
        (
            RequestPoolRequest { provider_type: text("cloud"), ..wanted() },
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "cloud",
        ),
        (
            RequestPoolRequest { template_type: TemplateType::DockerVm.into(), ..wanted() },
            Code::FailedPrecondition,
            "NO_TEMPLATE",
            "app",
        ),
        (RequestPoolRequest { unconfigured: true, ..wanted() }, Code::FailedPrecondition, "NO_TEMPLATE", "app"),
        (
            RequestPoolRequest { date: text("2001-01-01"), ..wanted() },
            Code::FailedPrecondition,
            "NO_TEMPLATE",
            "2001-01-01",
        ),
        (
            RequestPoolRequest { template_type: 99, ..wanted() },
            Code::InvalidArgument,
            "INVALID_ARGUMENT",
            "template_type 99",
        ),
        (RequestPoolRequest { priority: 99, ..wanted() }, Code::InvalidArgument, "INVALID_ARGUMENT", "priority 99"),
        (RequestPoolRequest { cpus: Some(2), ..wanted() }, Code::PermissionDenied, "OVERRIDE_NOT_ALLOWED", ""),
        (RequestPoolRequest { memory_mib: Some(512), ..wanted() }, Code::PermissionDenied, "OVERRIDE_NOT_ALLOWED", ""),
    ] {
        let told = format!("{wrong:?}");
        let status = assert_refused(ann.request_pool(wrong).await, code, why, says);
        assert!(!status.message().is_empty() && !status.message().contains('\n'), "{told}: {}", status.message());
    }
    assert_eq!(all(&served).await?, before);
    Ok(())
}

/// What was tried, how it ended, and what is to be said of it.
type Wrong = (&'static str, Result<(), Status>, Code, &'static str, &'static str);

#[allow(clippy::too_many_lines, reason = "a table")]
async fn operations_that_cannot_be(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mine = ready(&served, "ann", wanted()).await?;
    let theirs = ready(&served, "ben", wanted()).await?.appliances[0].clone();
    let coming = served.pool("ann").await?.appliances[0].id;
    let gone = served.pool("ann").await?;
    served.pools("ann").await?.kill_pool(KillPoolRequest { id: gone.id }).await?;
    let (one, gone, dead) = (mine.appliances[0].id, gone.appliances[0].id, 999_999);
    // This provider can do nothing but what every one can.
    let mut tx = served.database.store().write().await?;
    tx.set_capabilities(&"lab".into(), &BTreeSet::from([Capability::Power])).await?;
    tx.commit().await?;
    let before = all(&served).await?;
    let mut ann = served.appliances("ann").await?;
    let rename = |id, name: &str| RenameApplianceRequest { id, name: name.to_owned() };
    let disk = |id, size_mib| AttachDiskRequest { id, size_mib };
    let (invalid, absent) = (Code::InvalidArgument, Code::NotFound);
    let (state, unsupported) = (Code::FailedPrecondition, Code::Unimplemented);
    let refused: Vec<Wrong> = vec![
        ("no name", ann.rename_appliance(rename(one, "")).await.map(drop), invalid, "INVALID_ARGUMENT", "63 letters"),
        (
            "a name with a space",
            ann.rename_appliance(rename(one, "a b")).await.map(drop),
            invalid,
            "INVALID_ARGUMENT",
            "letters, digits",
        ),
        (
            "a name that is a flag",
            ann.rename_appliance(rename(one, "-rf")).await.map(drop),
            invalid,
            "INVALID_ARGUMENT",
            "begins with",
        ),
        (
            "a name with a slash",
            ann.rename_appliance(rename(one, "../x")).await.map(drop),
            invalid,
            "INVALID_ARGUMENT",
            "",
        ),
        (
            "a long name",
            ann.rename_appliance(rename(one, &"x".repeat(64))).await.map(drop),
            invalid,
            "INVALID_ARGUMENT",
            "63",
        ),
        ("no size", ann.attach_disk(disk(one, 0)).await.map(drop), invalid, "INVALID_ARGUMENT", "another size"),
        (
            "an absurd size",
            ann.attach_disk(disk(one, u64::MAX)).await.map(drop),
            invalid,
            "INVALID_ARGUMENT",
            "another size",
        ),
        (
            "a name where there are none",
            ann.rename_appliance(rename(one, "db-1")).await.map(drop),
            unsupported,
            "UNSUPPORTED",
            "cannot rename",
        ),
        (
            "a disk where there are none",
            ann.attach_disk(disk(one, 8)).await.map(drop),
            unsupported,
            "UNSUPPORTED",
            "cannot attach",
        ),
        (
            "no suspending",
            ann.suspend_appliance(SuspendApplianceRequest { id: one }).await.map(drop),
            unsupported,
            "UNSUPPORTED",
            "cannot suspend",
        ),
        (
            "no screen",
            ann.get_console(GetConsoleRequest { id: one }).await.map(drop),
            unsupported,
            "UNSUPPORTED",
            "no screens",
        ),
        (
            "stop what comes",
            ann.stop_appliance(StopApplianceRequest { id: coming }).await.map(drop),
            state,
            "WRONG_STATE",
            "wait until it is ready",
        ),
        (
            "reset what comes",
            ann.reset_appliance(ResetApplianceRequest { id: coming }).await.map(drop),
            state,
            "WRONG_STATE",
            "wait until it is ready",
        ),
        (
            "start what is gone",
            ann.start_appliance(StartApplianceRequest { id: gone }).await.map(drop),
            state,
            "WRONG_STATE",
            "request a new one",
        ),
        (
            "rename what is gone",
            ann.rename_appliance(rename(gone, "db-1")).await.map(drop),
            state,
            "WRONG_STATE",
            "request a new one",
        ),
        (
            "start a foreign one",
            ann.start_appliance(StartApplianceRequest { id: theirs.id }).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "you have no",
        ),
        (
            "stop a foreign one",
            ann.stop_appliance(StopApplianceRequest { id: theirs.id }).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "you have no",
        ),
        (
            "resume a foreign one",
            ann.resume_appliance(ResumeApplianceRequest { id: theirs.id }).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "",
        ),
        (
            "reboot a foreign one",
            ann.reboot_appliance(RebootApplianceRequest { id: theirs.id }).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "",
        ),
        (
            "rename a foreign one",
            ann.rename_appliance(rename(theirs.id, "db-1")).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "",
        ),
        (
            "reset a foreign one",
            ann.reset_appliance(ResetApplianceRequest { id: theirs.id }).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "",
        ),
        (
            "a disk for a foreign one",
            ann.attach_disk(disk(theirs.id, 8)).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "",
        ),
        (
            "no disk for a dead one",
            ann.detach_disk(DetachDiskRequest { id: dead }).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "",
        ),
        (
            "the screen of a foreign one",
            ann.get_console(GetConsoleRequest { id: theirs.id }).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "",
        ),
        (
            "kill a dead one",
            ann.kill_appliance(KillApplianceRequest { id: dead }).await.map(drop),
            absent,
            "APPLIANCE_NOT_FOUND",
            "",
        ),
    ];
    for (what, result, code, why, says) in refused {
        let Err(status) = result else { panic!("{what} was not refused") };
        assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{what}: {status:?}");
        assert!(status.message().contains(says) && !status.message().contains('\n'), "{what}: {}", status.message());
    }
    assert_eq!(all(&served).await?, before, "bad calls changed something");
    // To kill what is gone is no mistake: it is done.
    ann.kill_appliance(KillApplianceRequest { id: gone }).await?;
    assert_eq!(all(&served).await?, before);
    Ok(())
}

async fn pools_that_are_not_alike_stay_two(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let new = ready(&served, "ann", wanted()).await?.id;
    let old = ready(&served, "ann", RequestPoolRequest { version: Some("1.9".to_owned()), ..wanted() }).await?.id;
    let before = all(&served).await?;
    let refused = served.pools("ann").await?.merge_pools(MergePoolsRequest { target_id: new, source_id: old }).await;
    assert_refused(refused, Code::FailedPrecondition, "POOLS_DIFFER", "differ in version: 1.10 and 1.9");
    assert_eq!(all(&served).await?, before);
    Ok(())
}

async fn two_who_want_the_last_warm_one(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    // One is warm: its pool is given up, and it is not.
    let last = ready(&served, "ann", wanted()).await?.appliances[0].clone();
    let mut tx = served.database.store().write().await?;
    let id = sprout_domain::ApplianceId(i64::try_from(last.id)?);
    tx.free_appliances(&[(id, None)]).await?;
    tx.commit().await?;
    let (mut ann, mut ben) = (served.pools("ann").await?, served.pools("ben").await?);
    let (one, other) = tokio::join!(ann.request_pool(wanted()), ben.request_pool(wanted()));
    let pools = [one?, other?].map(|answer| answer.into_inner().pool.unwrap_or_default());
    let winners: Vec<_> = pools.iter().filter(|pool| pool.state() == PoolState::Ready).collect();
    assert_eq!(winners.len(), 1, "{pools:?}");
    assert_eq!(winners[0].appliances[0].id, last.id);
    let loser = pools.iter().find(|pool| pool.id != winners[0].id).unwrap();
    assert!(loser.appliances.iter().all(|appliance| appliance.id != last.id), "{loser:?}");
    assert!(matches!(loser.state(), PoolState::Waiting | PoolState::Provisioning), "{loser:?}");
    Ok(())
}
