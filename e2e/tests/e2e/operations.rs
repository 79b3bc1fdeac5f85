//! Every operation on an appliance, one after the other, with `sproutctl` on a real container and a real virtual machine. After each the
//! provider is asked itself, with its own tools.

use anyhow::{Context as _, Result, ensure};
use sprout_client::{Code, proto::appliance::AttachDiskRequest};
use sprout_e2e::{DatabaseKind, Lab, LabOptions, Operated, ProviderKind, Told, scenario};

/// How a provider calls what is off, and what is suspended: with its memory saved or not.
fn words(kind: ProviderKind) -> (&'static str, (&'static str, bool)) {
    match kind {
        ProviderKind::Container => ("exited", ("paused", false)),
        ProviderKind::Libvirt => ("shut off", ("shut off", true)),
    }
}

async fn all_of_them(lab: Lab) -> Result<Lab> {
    let mut one = Operated::requested(lab).await?;
    let (off, suspended) = words(one.lab.provider.kind);
    let first = one.told().await?;
    ensure!(first.state == "running" && !first.saved, "{first:?}");

    let stopped = one.done("stop", &[], "off").await?;
    ensure!(stopped.state == off && !stopped.saved && stopped.id == first.id, "{stopped:?}");
    ensure!(one.done("stop", &[], "off").await? == stopped, "stopping it again did something");

    let (old, new) = (one.name.clone(), format!("db-{}", std::process::id()));
    let renamed = one.done("rename", &[&new], "off").await?;
    ensure!(one.name == new && renamed.id == first.id, "{renamed:?}");
    ensure!(one.lab.provider.told(&old).await?.is_none(), "it is called {old} as well");

    disk_while_off(&mut one, &renamed).await?;
    let started = one.done("start", &[], "ready").await?;
    ensure!(started.state == "running" && started.run != first.run && started.id == first.id, "{started:?}");
    detached(&mut one, &started, first.disks).await?;

    let frozen = one.done("suspend", &[], "suspended").await?;
    ensure!((frozen.state.as_str(), frozen.saved) == suspended && frozen.id == first.id, "{frozen:?}");
    one.refused("reboot", &[], "is suspended").await?;
    let resumed = one.done("resume", &[], "ready").await?;
    ensure!(resumed.state == "running" && !resumed.saved, "{resumed:?}");
    // A container is thawed; a machine is started anew from its memory.
    ensure!(one.is(ProviderKind::Libvirt) || resumed.run == started.run, "{resumed:?} {started:?}");

    let rebooted = one.done("reboot", &[], "ready").await?;
    ensure!(rebooted.state == "running" && rebooted.id == first.id, "{rebooted:?}");
    // A machine's guest restarts within its process.
    ensure!(one.is(ProviderKind::Libvirt) || rebooted.run != resumed.run, "{rebooted:?} {resumed:?}");

    let newer = format!("{new}-x");
    if one.is(ProviderKind::Libvirt) {
        one.refused("rename", &[&newer], "stop").await?;
    } else {
        ensure!(one.done("rename", &[&newer], "ready").await? == rebooted, "a new name changed more than the name");
    }
    one.refused("console", &[], "shows no screens").await?;

    let anew = one.done("reset", &["--yes"], "ready").await?;
    ensure!(anew.state == "running" && anew.id != first.id && anew.disks == first.disks, "{anew:?}");
    one.killed().await
}

async fn disk_while_off(one: &mut Operated, before: &Told) -> Result<()> {
    if one.is(ProviderKind::Container) {
        one.refused("attach-disk", &["16"], "cannot attach and detach disks").await?;
        let request = AttachDiskRequest { id: one.id.parse()?, size_mib: 16 };
        let status = one.lab.client.appliances().attach_disk(request).await.err().context("it was taken")?;
        let error = one.lab.client.explain(status);
        ensure!(error.reason() == Some("UNSUPPORTED") && error.code() == Code::Unimplemented, "{error}");
        return Ok(());
    }
    let with = one.done("attach-disk", &["16"], "off").await?;
    ensure!(with.disks == before.disks + 1, "{with:?}");
    ensure!(one.done("attach-disk", &["16"], "off").await? == with, "there are two");
    one.refused("attach-disk", &["32"], "one at a time").await
}

async fn detached(one: &mut Operated, before: &Told, disks: usize) -> Result<()> {
    if one.is(ProviderKind::Container) {
        ensure!(one.done("detach-disk", &[], "ready").await? == *before, "detaching nothing did something");
        return Ok(());
    }
    ensure!(before.disks == disks + 1, "its disk was lost: {before:?}");
    let without = one.done("detach-disk", &[], "ready").await?;
    ensure!(without.disks == disks && without.run == before.run, "{without:?}");
    Ok(())
}

#[test]
fn sqlite_container_all_of_them() {
    scenario(DatabaseKind::Sqlite, ProviderKind::Container, all_of_them, LabOptions::default());
}

#[test]
fn postgres_libvirt_all_of_them() {
    scenario(DatabaseKind::Postgres, ProviderKind::Libvirt, all_of_them, LabOptions::default());
}
