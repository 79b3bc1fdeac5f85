//! The `external` driver on a simulator that each case starts for itself, over TCP and over a Unix socket; and on any
//! provider that speaks `sprout.provider.v1`, for those who write one.

use std::{collections::BTreeMap, env, thread};

use sprout_proto::worker::ExternalSettings;
use sprout_sim::{
    core::{Capacity, Config, Latencies, Latency},
    server::{Options, Simulator},
};
use sprout_worker::{driver::Reason, drivers::external::ExternalDriver};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    Case,
    target::{Target, assert_reason},
};

const TEMPLATE: &str = "sim-1.0.0";
const VERSION: &str = "1.0.0";
const TOKEN: &str = "hunter2";

/// A simulator that ends with the target.
struct Running {
    leave: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
    /// Where its state is.
    _directory: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.leave.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the simulator ends well");
        }
    }
}

/// As quick as can be told apart from nothing.
fn config() -> Config {
    let millis = Latency::Fixed;
    Config {
        templates: BTreeMap::from([(TEMPLATE.to_owned(), VERSION.to_owned())]),
        capacity: Capacity { instances: Some(100), memory_mib: Some(65536), cpus: Some(64) },
        latency: Latencies {
            look: millis(0.0),
            create: Latency::Uniform(10.0, 40.0),
            start: millis(10.0),
            stop: millis(10.0),
            delete: Latency::Uniform(5.0, 30.0),
            change: millis(5.0),
            boot: millis(10.0),
            ready: millis(20.0),
        },
        appliance_port: 0,
        ..Config::default()
    }
}

/// Starts a simulator on `tcp` or `unix`.
pub(crate) fn target(transport: &str) -> Target {
    let directory = tempfile::tempdir().expect("a directory");
    let listen = match transport {
        "unix" => format!("unix://{}", directory.path().join("sim.sock").display()),
        _ => "127.0.0.1:0".to_owned(),
    };
    let (leave, (started, starting)) = (CancellationToken::new(), oneshot::channel());
    let options = Options {
        listen: listen.clone(),
        state: directory.path().join("state"),
        config: config(),
        token: TOKEN.to_owned().into(),
    };
    let until = leave.clone();
    // A run time of its own, as in a process of its own.
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a run time");
        runtime.block_on(async {
            let simulator = Simulator::start(options).await.expect("start the simulator");
            started.send(simulator.address()).expect("the test waits");
            simulator.serve(until).await.expect("serve");
        });
    });
    let address = thread::spawn(|| starting.blocking_recv().expect("the simulator starts")).join().expect("joined");
    let endpoint = address.map_or(listen, |address| format!("http://{address}"));
    let driver = ExternalDriver::new(&settings(&endpoint, TOKEN)).expect("settings");
    let mut target = Target::new(&endpoint, driver, TEMPLATE, VERSION);
    target.keep(Running { leave, thread: Some(thread), _directory: directory });
    target
}

/// The provider at this endpoint.
pub(crate) fn any(endpoint: &str) -> Target {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let token = env::var("SPROUT_TEST_EXTERNAL_TOKEN").unwrap_or_default();
    let driver = ExternalDriver::new(&settings(endpoint, &token)).expect("settings");
    Target::new(endpoint, driver, &variable("SPROUT_TEST_EXTERNAL_TEMPLATE"), &variable("SPROUT_TEST_EXTERNAL_VERSION"))
}

fn settings(endpoint: &str, token: &str) -> ExternalSettings {
    ExternalSettings { endpoint: endpoint.into(), token: token.into(), ..Default::default() }
}

pub(crate) fn cases() -> Vec<Case> {
    crate::case_list![wrong_token, nothing_there]
}

async fn wrong_token(target: &Target) {
    for token in ["", "hunter3"] {
        let driver = ExternalDriver::new(&settings(&target.place, token)).expect("settings");
        let error = assert_reason(sprout_worker::driver::Driver::find(&driver, "x").await, Reason::AccessDenied);
        assert!(error.message.contains("token") && !error.message.contains("hunter"), "{error}");
    }
}

async fn nothing_there(target: &Target) {
    let elsewhere = match target.place.strip_prefix("unix://") {
        Some(path) => format!("unix://{path}.not"),
        None => "http://127.0.0.1:9".to_owned(),
    };
    let driver = ExternalDriver::new(&settings(&elsewhere, TOKEN)).expect("settings");
    for _ in 0..2 {
        let error = assert_reason(sprout_worker::driver::Driver::find(&driver, "x").await, Reason::Unreachable);
        assert!(error.message.contains(&elsewhere), "{error}");
    }
}
