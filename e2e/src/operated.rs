//! One appliance that is operated with `sproutctl`, its provider being asked after each operation.

use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{Lab, ProviderKind, Told, version};

/// One appliance that is operated.
pub struct Operated {
    /// Where it is.
    pub lab: Lab,
    /// Its id.
    pub id: String,
    /// Its name, as it is now.
    pub name: String,
}

impl Operated {
    /// A pool of one.
    pub async fn requested(lab: Lab) -> Result<Self> {
        let output = lab.sproutctl(&["-o", "json", "pool", "request", "demo", "--wait"]).await?;
        let pool = json(&output)?;
        let id = pool["appliances"][0]["id"].as_u64().context("an id")?.to_string();
        let name = pool["appliances"][0]["name"].as_str().context("a name")?.to_owned();
        Ok(Self { lab, id, name })
    }

    /// Whether it is on a provider of this kind.
    pub fn is(&self, provider: ProviderKind) -> bool {
        self.lab.provider.kind == provider
    }

    async fn run(&self, verb: &str, arguments: &[&str]) -> Result<Output> {
        self.lab.sproutctl(&[&["-o", "json", "appliance", verb, &self.id], arguments].concat()).await
    }

    /// Does it, and wants it to be in this state then; returns what the provider says.
    pub async fn done(&mut self, verb: &str, arguments: &[&str], state: &str) -> Result<Told> {
        let output = self.run(verb, arguments).await?;
        self.is_done(&output, verb, state).await
    }

    /// The same while servers die: what they say then is that they cannot be reached, and it is asked for again.
    pub async fn done_at_last(&mut self, verb: &str, arguments: &[&str], state: &str) -> Result<Told> {
        let unreachable = Some(5);
        let output = self
            .lab
            .retry(async || {
                let output = self.run(verb, arguments).await?;
                ensure!(output.status.code() != unreachable, "{}", String::from_utf8_lossy(&output.stderr));
                Ok(output)
            })
            .await?;
        self.is_done(&output, verb, state).await
    }

    async fn is_done(&mut self, output: &Output, verb: &str, state: &str) -> Result<Told> {
        let appliance = json(output).context(verb.to_owned())?;
        ensure!(appliance["state"] == state, "{verb} leaves it as {appliance}");
        ensure!(appliance["id"].as_u64() == self.id.parse().ok(), "{verb} is about {appliance}");
        appliance["name"].as_str().context("a name")?.clone_into(&mut self.name);
        if state == "ready" {
            let web = &appliance["endpoints"][0];
            let (host, port) = (web["host"].as_str().context("a host")?, web["port"].as_u64().context("a port")?);
            ensure!(version(host, port).await.context(verb.to_owned())? == "1.0.0", "{appliance}");
        }
        self.told().await
    }

    /// What the provider says of it.
    pub async fn told(&self) -> Result<Told> {
        self.lab.provider.told(&self.name).await?.with_context(|| format!("the provider has no {}", self.name))
    }

    /// Wants it refused with exit code 6 and a sentence with these words, and nothing changed.
    pub async fn refused(&self, verb: &str, arguments: &[&str], says: &str) -> Result<()> {
        let before = self.told().await?;
        let output = self.run(verb, arguments).await?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(6), "{verb}: {}: {error}", output.status);
        ensure!(error.starts_with("error: ") && error.contains(says), "{verb}: {error}");
        ensure!(!error.contains("older than this sproutctl"), "{verb}: {error}");
        ensure!(self.told().await? == before, "{verb} was refused and changed something");
        Ok(())
    }

    /// Ends the pool; nothing may be left of it.
    pub async fn killed(self) -> Result<Lab> {
        json(&self.lab.sproutctl(&["-o", "json", "pool", "kill", "1", "--yes", "--wait"]).await?)?;
        ensure!(self.lab.provider.told(&self.name).await?.is_none(), "{} is still there", self.name);
        Ok(self.lab)
    }
}

fn json(output: &Output) -> Result<Value> {
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "sproutctl ended with {}: {error}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}
