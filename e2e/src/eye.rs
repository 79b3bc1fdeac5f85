//! What the provider itself says of a machine, asked with its own tools and not with the driver that is tested.

use std::process::Output;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
};

use crate::{Provider, ProviderKind, process::run};

/// A machine in the provider's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its state: `running`, `paused`, `exited` of Docker; `running`, `shut off` of libvirt.
    pub state: String,
    /// The provider's id of it: another one if it was made anew.
    pub id: String,
    /// When it was started last, or the number of its process; another one if it was started again.
    pub run: String,
    /// How many disks it has; 0 where the provider knows none.
    pub disks: usize,
    /// Whether its memory is saved on disk.
    pub saved: bool,
}

/// What an appliance's web server says at `/version`.
pub async fn version(host: &str, port: u64) -> Result<String> {
    let mut stream = TcpStream::connect((host, u16::try_from(port)?)).await?;
    stream.write_all(format!("GET /version HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").context("an HTTP answer")?;
    Ok(body.trim().to_owned())
}

impl Provider {
    /// What the provider says of this name; none: it has no such machine.
    pub async fn told(&self, name: &str) -> Result<Option<Told>> {
        match self.kind {
            ProviderKind::Container => self.engine_told(name).await,
            ProviderKind::Libvirt => self.virsh_told(name).await,
        }
    }

    async fn engine_told(&self, name: &str) -> Result<Option<Told>> {
        let socket = self.address.strip_prefix("unix://").context("an engine's socket")?;
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}", "--unix-socket"]);
        let output = run(curl.arg(socket).arg(format!("http://engine/containers/{name}/json")), "").await?;
        let text = text(&output)?;
        let (body, code) = text.rsplit_once('\n').context("an HTTP status")?;
        match code.trim() {
            "200" => {}
            "404" => return Ok(None),
            code => bail!("the engine answers {code}: {body}"),
        }
        let container: Value = serde_json::from_str(body)?;
        let word = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("a word in {container}"));
        Ok(Some(Told {
            state: word(&container["State"]["Status"])?,
            id: word(&container["Id"])?,
            run: word(&container["State"]["StartedAt"])?,
            disks: 0,
            saved: false,
        }))
    }

    async fn virsh_told(&self, name: &str) -> Result<Option<Told>> {
        let all = self.virsh(&["list", "--all", "--name"]).await?;
        if !all.lines().any(|line| line.trim() == name) {
            return Ok(None);
        }
        let disks = self.virsh(&["domblklist", name, "--details"]).await?;
        let saved = self.virsh(&["list", "--all", "--name", "--with-managed-save"]).await?;
        Ok(Some(Told {
            state: self.virsh(&["domstate", name]).await?,
            id: self.virsh(&["domuuid", name]).await?,
            run: self.virsh(&["domid", name]).await?,
            disks: disks.lines().filter(|line| line.split_whitespace().nth(1) == Some("disk")).count(),
            saved: saved.lines().any(|line| line.trim() == name),
        }))
    }

    async fn virsh(&self, arguments: &[&str]) -> Result<String> {
        let mut virsh = Command::new("virsh");
        let output = run(virsh.args(["--connect", &self.address]).args(arguments), "").await?;
        Ok(text(&output)?.trim().to_owned())
    }
}

fn text(output: &Output) -> Result<String> {
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout.clone())?)
}
