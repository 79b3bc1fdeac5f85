//! Logs of appliances, whole and followed.

use futures::FutureExt as _;
use sprout_app::ports::{LogOf, LogStore as _};
use sprout_domain::ApplianceId;
use sprout_proto::appliance::{GetApplianceRequest, KillApplianceRequest, WatchApplianceLogsRequest};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Served, assert_refused, field, soon};

on_each_database!(a_log_ends_or_is_followed, who_leaves_is_forgotten, appliances_of_others_do_not_exist);

async fn a_log_ends_or_is_followed(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let id = served.pool("ann").await?.appliances[0].id;
    let log = LogOf::Appliance(ApplianceId(id.try_into()?));
    // More than is held at once.
    let lines: Vec<_> = (0..600).map(|n| format!("line {n}")).collect();
    served.logs.append(&log, lines.clone()).await;
    let mut client = served.appliances("ann").await?;
    let mut whole = client.watch_appliance_logs(WatchApplianceLogsRequest { id, follow: false }).await?.into_inner();
    for line in &lines {
        assert_eq!(soon(whole.message()).await??.unwrap_or_default().line, *line);
    }
    assert!(soon(whole.message()).await??.is_none());
    let mut followed = client.watch_appliance_logs(WatchApplianceLogsRequest { id, follow: true }).await?.into_inner();
    for line in &lines {
        assert_eq!(soon(followed.message()).await??.unwrap_or_default().line, *line);
    }
    served.logs.append(&LogOf::Appliance(ApplianceId(999_999)), vec!["of another".to_owned()]).await;
    served.logs.append(&log, vec!["new".to_owned()]).await;
    assert_eq!(soon(followed.message()).await??.unwrap_or_default().line, "new");
    client.kill_appliance(KillApplianceRequest { id }).await?;
    assert!(soon(followed.message()).await??.is_none(), "it ends with the appliance");
    let mut late = client.watch_appliance_logs(WatchApplianceLogsRequest { id, follow: true }).await?.into_inner();
    let mut count = 0;
    while soon(late.message()).await??.is_some() {
        count += 1;
    }
    assert_eq!(count, 601, "all of it is read, then it ends");
    Ok(())
}

async fn who_leaves_is_forgotten(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let id = served.pool("ann").await?.appliances[0].id;
    served.logs.append(&LogOf::Appliance(ApplianceId(id.try_into()?)), vec!["line".to_owned()]).await;
    let mut client = served.appliances("ann").await?;
    let mut lines = client.watch_appliance_logs(WatchApplianceLogsRequest { id, follow: true }).await?.into_inner();
    assert!(soon(lines.message()).await??.is_some());
    assert!(soon(served.logs.unwatched()).now_or_never().is_none(), "it is followed");
    drop(lines);
    soon(served.logs.unwatched()).await
}

async fn appliances_of_others_do_not_exist(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let id = served.pool("ann").await?.appliances[0].id;
    let mut ben = served.appliances("ben").await?;
    for refused in [
        ben.watch_appliance_logs(WatchApplianceLogsRequest { id, follow: true }).await.map(drop),
        ben.watch_appliance_logs(WatchApplianceLogsRequest { id, follow: false }).await.map(drop),
        ben.kill_appliance(KillApplianceRequest { id }).await.map(drop),
    ] {
        assert_refused(refused, Code::NotFound, "APPLIANCE_NOT_FOUND", "you have no appliance");
    }
    let nothing = ben.get_appliance(GetApplianceRequest { by: None }).await;
    let status = assert_refused(nothing, Code::InvalidArgument, "INVALID_ARGUMENT", "by id, name or address");
    assert_eq!(field(&status), "by");
    Ok(())
}
