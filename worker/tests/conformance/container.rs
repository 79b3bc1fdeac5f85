//! The `container` driver on a real engine, and what only it must do: leave what others made alone, tell ports and room as
//! they are.

use std::{collections::HashMap, env, net::TcpListener};

use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerCreateBody, HostConfig, PortBinding, ResourcesUlimits},
    query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder},
};
use sprout_proto::worker::ContainerSettings;
use sprout_worker::{
    driver::{PowerState, Reason, Tags},
    drivers::container::ContainerDriver,
};

use crate::{
    Case,
    target::{Target, assert_reason},
};

/// Connects to the engine on `socket`.
pub(crate) fn target(socket: &str) -> Target {
    let image = env::var("SPROUT_TEST_CONTAINER_IMAGE").expect("SPROUT_TEST_CONTAINER_IMAGE names the demo image");
    let (_, version) = image.rsplit_once(':').expect("SPROUT_TEST_CONTAINER_IMAGE is name:tag");
    let driver = ContainerDriver::new(&settings(socket)).expect("settings");
    let path = socket.strip_prefix("unix://").expect("a Unix socket");
    let mut target = Target::new(path, driver, &image, version);
    target.template_suffix = ":made";
    target
}

pub(crate) fn settings(socket: &str) -> ContainerSettings {
    ContainerSettings { socket: socket.into(), publish_address: "127.0.0.1".into(), memory_mib: 64, cpus: 1 }
}

pub(crate) fn cases() -> Vec<Case> {
    crate::case_list![
        what_others_made_is_left_alone,
        templates_carry_no_marks,
        port_is_taken,
        beginning_of_an_id_is_no_name,
        impossible_cpus_and_sizes,
        published_where_told
    ]
}

/// The engine, past the driver.
fn engine(target: &Target) -> Docker {
    Docker::connect_with_unix(&target.place, 60, API_DEFAULT_VERSION).expect("connect")
}

/// Makes a container as somebody else would; gives its id.
async fn foreign(
    target: &Target,
    name: &str,
    image: &str,
    port_bindings: HashMap<String, Option<Vec<PortBinding>>>,
) -> String {
    let ulimit =
        |name: &str, hard| ResourcesUlimits { name: Some(name.to_owned()), soft: Some(hard), hard: Some(hard) };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        host_config: Some(HostConfig {
            port_bindings: Some(port_bindings),
            ulimits: Some(vec![ulimit("nofile", 1024), ulimit("nproc", 1024)]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    engine(target).create_container(Some(options), body).await.expect("create").id
}

async fn remove_foreign(target: &Target, name: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    engine(target).remove_container(name, Some(options)).await.expect("remove");
}

async fn what_others_made_is_left_alone(target: &Target) {
    let driver = target.driver();
    let theirs = target.invent("theirs");
    let id = foreign(target, &theirs.name, &target.template, HashMap::new()).await;
    let seen = target.see(&theirs.name).await;
    assert_eq!((seen.tags, seen.provider_ref, seen.power), (None, id, PowerState::Off));
    let listed = driver.list().await.expect("list").into_iter().find(|instance| instance.name == theirs.name);
    assert_eq!(listed.expect("listed").tags, None);
    for tags in [&theirs.tags, &Tags::default()] {
        assert_reason(driver.delete(&theirs.name, tags).await, Reason::NameTaken);
        assert_reason(driver.tag(&theirs.name, tags).await, Reason::NameTaken);
    }
    assert_reason(driver.create(&target.spec(&theirs)).await, Reason::NameTaken);
    target.see(&theirs.name).await;
    remove_foreign(target, &theirs.name).await;
}

/// Else whatever anybody runs from a template would look like ours, and be deleted as a leak.
async fn templates_carry_no_marks(target: &Target) {
    let source = target.cloned("source").await;
    let template = target.invent_template("made");
    target.driver().make_template(&source.name, &template).await.expect("make a template");
    let theirs = target.invent("theirs").name;
    foreign(target, &theirs, &template, HashMap::new()).await;
    assert_eq!(target.see(&theirs).await.tags, None);
    remove_foreign(target, &theirs).await;
}

async fn port_is_taken(target: &Target) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = taken.local_addr().expect("address").port();
    let binding = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(port.to_string()) };
    let name = target.invent("fixed").name;
    foreign(target, &name, &target.template, HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))])).await;
    let error = assert_reason(target.driver().start(&name).await, Reason::NoCapacity);
    assert!(error.message.contains(&port.to_string()), "{error}");
    drop(taken);
    target.driver().start(&name).await.expect("start once the port is free");
    assert_eq!(target.until_answers(&name).await.published.get(&80), Some(&("127.0.0.1".to_owned(), port)));
    remove_foreign(target, &name).await;
}

async fn beginning_of_an_id_is_no_name(target: &Target) {
    let one = target.cloned("one").await;
    let id = target.see(&one.name).await.provider_ref;
    let short = &id[..12];
    assert_eq!(target.driver().find(short).await.expect("find"), None);
    target.driver().delete(short, &one.tags).await.expect("nothing of that name is there");
    assert_reason(target.driver().start(short).await, Reason::ApplianceNotFound);
    assert_eq!(target.power(&one.name).await, PowerState::Off, "still there, still off");
}

async fn impossible_cpus_and_sizes(target: &Target) {
    let new = target.invent("new");
    let with = |memory_mib, cpus| {
        let mut spec = target.spec(&new);
        (spec.memory_mib, spec.cpus) = (memory_mib, cpus);
        spec
    };
    assert_reason(target.driver().create(&with(None, Some(4096))).await, Reason::NoCapacity);
    assert_reason(target.driver().create(&with(Some(0), None)).await, Reason::Invalid);
    let mut spec = target.spec(&new);
    spec.endpoints[0].port = 70_000;
    let error = assert_reason(target.driver().create(&spec).await, Reason::Invalid);
    assert!(error.message.contains("70000"), "{error}");
    assert_eq!(target.driver().find(&new.name).await.expect("find"), None);
    target.driver().create(&with(None, None)).await.expect("clone");
    let seen = target.see(&new.name).await;
    assert_eq!((seen.memory_mib, seen.cpus), (Some(64), Some(1)), "the provider's settings");
}

/// An engine may publish a port elsewhere at each start, and remembers the last place while a container is off.
async fn published_where_told(target: &Target) {
    let (one, other) = (target.ready("one").await, target.cloned("other").await);
    for _ in 0..3 {
        let instance = target.until_answers(&one.name).await;
        let (host, _) = instance.published.get(&80).expect("published");
        assert_eq!((host.as_str(), instance.published.len()), ("127.0.0.1", 1));
        assert_ne!(instance.address.as_deref(), Some("127.0.0.1"), "its own address");
        target.driver().stop(&one.name).await.expect("stop");
        assert!(target.see(&one.name).await.published.is_empty());
        // Another may take its port now.
        target.driver().start(&other.name).await.expect("start");
        target.driver().start(&one.name).await.expect("start");
        target.driver().stop(&other.name).await.expect("stop");
    }
}
