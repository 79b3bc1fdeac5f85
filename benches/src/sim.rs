//! A simulated provider with fixed times: what Sprout adds to them is Sprout's.

use std::{fs, time::Duration};

use anyhow::Result;
use sprout_e2e::binary;
use tokio::process::Command;

use crate::{
    process::{Process, free_port},
    scenario::NotHere,
};

/// A running simulator.
pub(crate) struct Sim {
    process: Process,
    port: u16,
    appliances: u16,
    _directory: tempfile::TempDir,
}

/// Its times in milliseconds; `ready` counts from the address on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) create: u64,
    pub(crate) start: u64,
    pub(crate) boot: u64,
    pub(crate) ready: u64,
    pub(crate) stop: u64,
    pub(crate) delete: u64,
}

impl Times {
    /// From the beginning of the clone to the first answer of the appliance.
    pub(crate) fn of_deployment(self) -> Duration {
        Duration::from_millis(self.create + self.start + self.boot + self.ready)
    }

    /// From power off to gone.
    pub(crate) fn of_kill(self) -> Duration {
        Duration::from_millis(self.stop + self.delete)
    }
}

impl Sim {
    /// Starts one with the template of [`crate::installation::GROUP`].
    pub(crate) fn start(times: Times) -> Result<Self> {
        let program = binary("sprout-sim").map_err(|_| NotHere("sprout-sim is not built".into()))?;
        let directory = tempfile::tempdir()?;
        let (port, appliances) = (free_port(1)?, free_port(2)?);
        let Times { create, start, boot, ready, stop, delete } = times;
        let config = directory.path().join("sim.yaml");
        let text = format!(
            "templates: {{bench-1.0: '1.0'}}\nappliance_port: {appliances}\nlatency: {{look: 0, create: {create}, start: {start}, \
             boot: {boot}, ready: {ready}, stop: {stop}, delete: {delete}}}\n"
        );
        fs::write(&config, text)?;
        let mut command = Command::new(program);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--state"]).arg(directory.path().join("state"));
        command.arg("--config").arg(&config).env("RUST_LOG", "warn");
        let process = Process::start("sim", &mut command, directory.path())?;
        Ok(Self { process, port, appliances, _directory: directory })
    }

    /// Type and settings for `cfme_data.yaml`.
    pub(crate) fn provider(&self) -> String {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        format!("type: sim\n    sprout: {{endpoint: '{endpoint}', provisioning_limit: 10000}}")
    }

    /// What the group says of endpoints and probes: appliances answer HTTP.
    pub(crate) fn group(&self) -> String {
        let port = self.appliances;
        format!("endpoints: {{web: {{port: {port}, scheme: http}}}}, probes: [{{endpoint: web, http: {{path: /}}}}]")
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.process.stop().await
    }
}
