//! The `libvirt` driver on real virtual machines, and what only it must do: leave no volume behind, touch no domain or
//! volume of others, keep what a guest has on disk and in memory.
//!
//! The machines' addresses are reachable in the network namespace of their libvirt only; run the tests there.

use std::{env, fs, path::Path, process::Command, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use roxmltree::Document;
use sprout_proto::worker::LibvirtSettings;
use sprout_worker::{
    driver::{Driver, PowerState, Reason, Tags},
    drivers::libvirt::LibvirtDriver,
};
use virt::{connect::Connect, storage_pool::StoragePool, storage_vol::StorageVol};

use crate::{
    Case, poll,
    target::{Appliance, Target, assert_reason},
};

/// Connects to the daemon at this URI.
pub(crate) fn target(uri: &str) -> Target {
    let settings = settings(uri);
    let image = variable("SPROUT_TEST_VM_IMAGE");
    let (template, version) = template_of(&image);
    provide(uri, &settings.storage_pool, &image);
    let driver = LibvirtDriver::new(&settings).expect("settings");
    let mut target = Target::new(uri, driver, &template, &version);
    target.memory_mib = [96, 128]; // with 64 the guest does not boot
    target.ready_within = Duration::from_mins(3);
    target
}

pub(crate) fn cases() -> Vec<Case> {
    crate::case_list![
        nothing_is_left_in_the_pool,
        leftover_volume_is_replaced_or_deleted,
        renamed_one_keeps_its_disk,
        unfinished_template,
        snapshots_and_the_extra_disk,
        guest_keeps_what_it_has,
        what_others_made_is_left_alone,
        names_are_not_markup,
        wrong_settings
    ]
}

pub(crate) fn settings(uri: &str) -> LibvirtSettings {
    LibvirtSettings {
        uri: uri.into(),
        storage_pool: variable("SPROUT_TEST_LIBVIRT_POOL"),
        network: variable("SPROUT_TEST_LIBVIRT_NETWORK"),
        ..LibvirtSettings::default()
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set; let `make test` start the provider"))
}

/// Name of the template and version of what the image holds: `appliance-1.0.0.qcow2`.
fn template_of(image: &str) -> (String, String) {
    let name = Path::new(image).file_stem().and_then(|stem| stem.to_str()).expect("a file name");
    let (_, version) = name.rsplit_once('-').expect("the image is named NAME-VERSION.qcow2");
    (name.to_owned(), version.to_owned())
}

/// Puts the image into the pool, all at once, as cases run beside each other.
fn provide(uri: &str, pool: &str, image: &str) {
    let connection = Connect::open(Some(uri)).expect("connect");
    let xml = StoragePool::xml_desc(&pool_named(&connection, pool), 0).expect("look at the pool");
    let document = Document::parse(&xml).expect("XML");
    let directory = document.descendants().find(|node| node.has_tag_name("path")).and_then(|path| path.text());
    let directory = Path::new(directory.expect("the pool is a directory"));
    let there = directory.join(Path::new(image).file_name().expect("a file name"));
    if !there.exists() {
        let unfinished = directory.join(format!(".{}", uuid::Uuid::new_v4()));
        fs::copy(image, &unfinished).expect("copy the image into the pool");
        fs::rename(&unfinished, &there).expect("rename");
    }
}

fn pool_named(connection: &Connect, pool: &str) -> StoragePool {
    connection.lookup_storage_pool_by_name(pool).expect("the pool")
}

/// The daemon, past the driver.
struct Daemon {
    uri: String,
    connection: Connect,
    pool: StoragePool,
}

impl Daemon {
    fn new(target: &Target) -> Self {
        let connection = Connect::open(Some(&target.place)).expect("connect");
        let pool = pool_named(&connection, &variable("SPROUT_TEST_LIBVIRT_POOL"));
        Self { uri: target.place.clone(), connection, pool }
    }

    /// Names of the volumes that begin with the name of this appliance or template.
    fn volumes_of(&self, name: &str) -> Vec<String> {
        self.pool.refresh(0).ok(); // refused while another case copies a volume; what was made through libvirt is known
        let all = self.pool.list_all_volumes(0).expect("list volumes");
        all.iter().map(|volume| volume.name().expect("name")).filter(|volume| volume.starts_with(name)).collect()
    }

    fn make_volume(&self, name: &str) {
        let xml = format!(
            "<volume><name>{name}</name><capacity>4096</capacity><target><format type='qcow2'/></target></volume>"
        );
        StorageVol::create_xml(&self.pool, &xml, 0).expect("create a volume");
    }

    /// Runs a command in the guest, by its agent; gives what it printed.
    async fn in_guest(&self, name: &str, command: &str) -> String {
        let ask = async |request: serde_json::Value| {
            poll::until(Duration::from_mins(1), "the guest agent answers", async || {
                // The crate has this call only with a feature that would have everything built twice.
                let virsh = Command::new("virsh")
                    .args(["--connect", &self.uri, "qemu-agent-command", "--timeout", "5", name])
                    .arg(request.to_string())
                    .output()
                    .expect("virsh runs");
                let answer = virsh.status.success().then_some(virsh.stdout)?;
                Some(serde_json::from_slice::<serde_json::Value>(&answer).expect("JSON")["return"].clone())
            })
            .await
        };
        let arguments = serde_json::json!({"path": "/bin/sh", "arg": ["-c", command], "capture-output": true});
        let started = ask(serde_json::json!({"execute": "guest-exec", "arguments": arguments})).await;
        let status = serde_json::json!({"execute": "guest-exec-status", "arguments": {"pid": started["pid"]}});
        poll::until(Duration::from_secs(30), command, async || {
            let status = ask(status.clone()).await;
            let output = status["out-data"].as_str().unwrap_or_default();
            status["exited"].as_bool()?.then(|| {
                let bytes = BASE64_STANDARD.decode(output).expect("base64");
                String::from_utf8(bytes).expect("text").trim().to_owned()
            })
        })
        .await
    }
}

async fn nothing_is_left_in_the_pool(target: &Target) {
    let (driver, daemon) = (target.driver(), Daemon::new(target));
    let one = target.ready("one").await;
    driver.attach_disk(&one.name, 16).await.expect("attach");
    assert_eq!(daemon.volumes_of(&one.name).len(), 2);
    driver.detach_disk(&one.name).await.expect("detach");
    assert_eq!(daemon.volumes_of(&one.name).len(), 1, "the extra disk is deleted");
    driver.attach_disk(&one.name, 16).await.expect("attach");
    driver.snapshot(&one.name, "clean").await.expect("snapshot");
    driver.suspend(&one.name).await.expect("suspend");
    for refused in [driver.attach_disk(&one.name, 16).await, driver.snapshot(&one.name, "x").await] {
        assert_reason(refused, Reason::Invalid);
    }
    driver.delete(&one.name, &one.tags).await.expect("delete");
    assert_eq!(daemon.volumes_of(&one.name), Vec::<String>::new());
}

async fn leftover_volume_is_replaced_or_deleted(target: &Target) {
    let (driver, daemon) = (target.driver(), Daemon::new(target));
    let one = target.invent("one");
    let leftover = disk_of(&one);
    daemon.make_volume(&leftover);
    driver.delete(&one.name, &one.tags).await.expect("delete what an interrupted clone left");
    assert_eq!(daemon.volumes_of(&one.name), Vec::<String>::new());

    daemon.make_volume(&leftover);
    driver.create(&target.spec(&one)).await.expect("clone in spite of the leftover");
    daemon.make_volume(&leftover.replace(".appliance.", ".extra."));
    driver.attach_disk(&one.name, 16).await.expect("attach in spite of the leftover");
    driver.start(&one.name).await.expect("start");
    target.until_answers(&one.name).await;

    // A volume that was made and not attached before the worker died goes too.
    driver.stop(&one.name).await.expect("stop");
    driver.detach_disk(&one.name).await.expect("detach");
    daemon.make_volume(&leftover.replace(".appliance.", ".extra."));
    driver.delete(&one.name, &one.tags).await.expect("delete");
    assert_eq!(daemon.volumes_of(&one.name), Vec::<String>::new());
}

async fn renamed_one_keeps_its_disk(target: &Target) {
    let (driver, daemon) = (target.driver(), Daemon::new(target));
    let one = target.cloned("one").await;
    driver.snapshot(&one.name, "clean").await.expect("snapshot");
    let new = target.invent("new").name;
    driver.rename(&one.name, &new).await.expect("rename, with a snapshot");
    driver.delete(&one.name, &one.tags).await.expect("nothing of the old name is there");
    let error = assert_reason(driver.create(&target.spec(&one)).await, Reason::NameTaken);
    assert!(error.message.contains(&new), "{error}");
    let mut other = target.invent("other");
    other.name.clone_from(&one.name);
    driver.create(&target.spec(&other)).await.expect("another appliance may have the name");
    driver.start(&new).await.expect("start");
    target.until_answers(&new).await;
    driver.delete(&new, &one.tags).await.expect("delete");
    assert_eq!(daemon.volumes_of(&one.name), [disk_of(&other)], "the other's");
}

async fn unfinished_template(target: &Target) {
    let (driver, daemon) = (target.driver(), Daemon::new(target));
    let source = target.cloned("source").await;
    let template = target.invent_template("made");
    daemon.make_volume(&format!("{template}.unfinished"));
    daemon.make_volume(&format!("{template}.qcow2"));
    assert!(!driver.templates().await.expect("templates").contains(&template));
    let mut spec = target.spec(&target.invent("new"));
    spec.template.clone_from(&template);
    assert_reason(driver.create(&spec).await, Reason::TemplateNotFound);

    driver.make_template(&source.name, &template).await.expect("make it anew");
    assert!(driver.templates().await.expect("templates").contains(&template));
    let volume = daemon.pool.lookup_storage_vol_by_name(&format!("{template}.qcow2")).expect("the volume");
    assert!(!volume.xml_desc(0).expect("look").contains("<backingStore>"), "it needs no other volume");
    driver.delete(&source.name, &source.tags).await.expect("delete the source");
    driver.create(&spec).await.expect("clone");
    driver.start(&spec.name).await.expect("start");
    target.until_answers(&spec.name).await;
    driver.delete(&spec.name, &spec.tags).await.expect("delete");
    driver.delete_template(&template).await.expect("delete the template");
    assert_eq!(daemon.volumes_of(&template), Vec::<String>::new());
}

async fn snapshots_and_the_extra_disk(target: &Target) {
    let driver = target.driver();
    let one = target.ready("one").await;
    driver.snapshot(&one.name, "before").await.expect("snapshot");
    driver.attach_disk(&one.name, 16).await.expect("attach");
    driver.snapshot(&one.name, "with").await.expect("snapshot");
    driver.reset(&one.name, "with").await.expect("reset, with its disk");
    driver.detach_disk(&one.name).await.expect("detach");
    assert_reason(driver.reset(&one.name, "with").await, Reason::Invalid);
    assert_eq!(target.power(&one.name).await, PowerState::On, "untouched");
    driver.attach_disk(&one.name, 16).await.expect("attach anew");
    driver.reset(&one.name, "before").await.expect("reset to before it had the disk");
    target.until_answers(&one.name).await;
    driver.attach_disk(&one.name, 16).await.expect("attach once more");
    driver.delete(&one.name, &one.tags).await.expect("delete");
    assert_eq!(Daemon::new(target).volumes_of(&one.name), Vec::<String>::new());
}

/// What the other cases cannot see from outside the guest.
async fn guest_keeps_what_it_has(target: &Target) {
    let (driver, daemon) = (target.driver(), Daemon::new(target));
    let one = target.ready("one").await;
    let name = one.name.as_str();
    let run = async |command: &str| daemon.in_guest(name, command).await;
    let boot = async || run("cat /proc/sys/kernel/random/boot_id").await;
    let first_boot = boot().await;
    run("echo old >/run/memory; echo old >/disk; sync").await;
    driver.snapshot(name, "clean").await.expect("snapshot");
    run("echo new >/run/memory; echo new >/disk; sync").await;

    driver.suspend(name).await.expect("suspend");
    driver.tag(name, &Tags { epoch: 99, ..one.tags.clone() }).await.expect("tag while suspended");
    driver.resume(name).await.expect("resume");
    assert_eq!(run("cat /run/memory /disk").await, "new\nnew");
    assert_eq!(boot().await, first_boot, "it only slept");

    driver.reset(name, "clean").await.expect("reset");
    assert_eq!(run("cat /run/memory /disk").await, "old\nold");
    assert_eq!(boot().await, first_boot);
    assert_eq!(target.see(name).await.tags.map(|tags| tags.epoch), Some(99), "marks are not part of a snapshot");

    driver.attach_disk(name, 16).await.expect("attach");
    poll::until(Duration::from_secs(30), "the guest sees 16 MiB in sectors", async || {
        (run("cat /sys/block/vdb/size").await == "32768").then_some(())
    })
    .await;
    driver.detach_disk(name).await.expect("detach");
    assert_eq!(run("ls /sys/block | grep -c vdb").await, "0");

    driver.reboot(name).await.expect("reboot");
    assert_ne!(boot().await, first_boot);
    assert_eq!(run("cat /disk").await, "old");
}

async fn what_others_made_is_left_alone(target: &Target) {
    let (driver, daemon) = (target.driver(), Daemon::new(target));
    let theirs = target.invent("theirs");
    daemon.make_volume(&format!("{}.img", theirs.name));
    let volume = daemon.pool.lookup_storage_vol_by_name(&format!("{}.img", theirs.name)).expect("the volume");
    let xml = format!(
        "<domain type='qemu'><name>{}</name><memory unit='MiB'>96</memory><os><type>hvm</type></os><devices>\
         <disk type='file'><source file='{}'/><target dev='vda'/></disk></devices></domain>",
        theirs.name,
        volume.path().expect("path")
    );
    let domain = daemon.connection.define_domain_xml(&xml).expect("define");
    let seen = target.see(&theirs.name).await;
    assert_eq!((seen.tags, seen.power), (None, PowerState::Off));
    assert_reason(driver.delete(&theirs.name, &theirs.tags).await, Reason::NameTaken);
    assert_reason(driver.delete(&theirs.name, &Tags::default()).await, Reason::NameTaken);
    assert_reason(driver.tag(&theirs.name, &theirs.tags).await, Reason::NameTaken);
    assert_reason(driver.create(&target.spec(&theirs)).await, Reason::NameTaken);
    assert_reason(driver.attach_disk(&theirs.name, 16).await, Reason::Invalid);
    assert_eq!(daemon.volumes_of(&theirs.name), [format!("{}.img", theirs.name)]);
    domain.undefine().expect("undefine");
    volume.delete(0).expect("delete");
}

async fn names_are_not_markup(target: &Target) {
    let driver = target.driver();
    let mut one = target.invent("a&b<c>'d\"");
    one.tags.installation_id.push_str("&<'\">");
    driver.create(&target.spec(&one)).await.expect("clone");
    assert_eq!(target.see(&one.name).await.tags.as_ref(), Some(&one.tags));
    one.tags.epoch += 1;
    driver.tag(&one.name, &one.tags).await.expect("tag");
    assert_eq!(target.see(&one.name).await.tags.as_ref(), Some(&one.tags));
    driver.start(&one.name).await.expect("start");
    driver.snapshot(&one.name, "<&>").await.expect("snapshot");
    driver.attach_disk(&one.name, 16).await.expect("attach");
    driver.delete(&one.name, &one.tags).await.expect("delete");
    assert_eq!(driver.find(&one.name).await.expect("find"), None);

    for name in ["../outside", "", ".hidden", "a\nb"] {
        let mut spec = target.spec(&one);
        spec.name = name.into();
        assert_reason(driver.create(&spec).await, Reason::Invalid);
    }
}

async fn wrong_settings(target: &Target) {
    let right = settings(&target.place);
    let spec = target.spec(&target.invent("new"));
    let wrong = [
        (LibvirtSettings { storage_pool: "no-such".into(), ..right.clone() }, "storage_pool"),
        (LibvirtSettings { network: "no-such".into(), ..right.clone() }, "network"),
    ];
    for (settings, key) in wrong {
        let driver = LibvirtDriver::new(&settings).expect("nothing wrong in itself");
        for error in [
            assert_reason(driver.check().await.map(drop), Reason::Invalid),
            assert_reason(driver.create(&spec).await, Reason::Invalid),
        ] {
            assert!(error.message.contains(key) && error.message.contains("no-such"), "{error}");
        }
    }
    let nowhere = LibvirtSettings { uri: "qemu+unix:///system?socket=/nonexistent".into(), ..right };
    let driver = LibvirtDriver::new(&nowhere).expect("nothing wrong in itself");
    assert_reason(driver.find("x").await, Reason::Unreachable);
    assert_eq!(Daemon::new(target).volumes_of(&spec.name), Vec::<String>::new(), "nothing is left");
}

/// Name of the volume that is an appliance's disk.
fn disk_of(appliance: &Appliance) -> String {
    format!("{}.{}.appliance.qcow2", appliance.name, appliance.tags.appliance_id)
}
