//! The installation that faults are played against.

use std::{env, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use sprout_client::proto::sim::{SetFaultsRequest, sim_service_client::SimServiceClient};
use sprout_e2e::{Installation, Plan, Service, retry};
use tonic::transport::Channel;

use crate::proxy::Proxy;

/// Deployments at once that the provider is configured for.
pub(crate) const PROVISIONING_LIMIT: u32 = 12;
/// Appliances that the provider is configured for.
pub(crate) const APPLIANCE_LIMIT: u32 = 40;

/// Everything that runs.
pub(crate) struct World {
    pub(crate) installation: Installation,
    /// In front of each server: what workers and clients use.
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) postgres: Service,
    pub(crate) redis: Service,
}

impl World {
    pub(crate) async fn start(services: &Path) -> Result<Self> {
        let url = |name| env::var(name).with_context(|| format!("{name} is not set; use `make chaos`"));
        let plan = Plan {
            warm: 4,
            provisioning_limit: PROVISIONING_LIMIT,
            appliance_limit: APPLIANCE_LIMIT,
            check_interval: Duration::from_secs(10),
            slots: 16,
            ..Plan::new(&url("SPROUT_TEST_POSTGRES")?, &url("SPROUT_TEST_REDIS")?)
        };
        let mut proxies = Vec::new();
        let installation = Installation::start(&plan, async |address| {
            let proxy = Proxy::start(address).await?;
            let url = proxy.url.clone();
            proxies.push(proxy);
            Ok(url)
        })
        .await?;
        let (postgres, redis) = (Service::of("postgres", services), Service::of("redis", services));
        Ok(Self { installation, proxies, postgres, redis })
    }

    /// The simulator, past everything.
    pub(crate) fn simulator(&self) -> Result<SimServiceClient<Channel>> {
        let endpoint = Channel::from_shared(self.installation.endpoint.clone())?;
        Ok(SimServiceClient::new(endpoint.timeout(Duration::from_secs(30)).connect_lazy()))
    }

    /// Everything runs again, and the provider makes no more mistakes.
    pub(crate) async fn heal(&self) -> Result<()> {
        for process in self.installation.processes() {
            process.ensure_running().await?;
        }
        self.postgres.revive().await?;
        self.redis.revive().await?;
        retry("the simulator answers", async || {
            self.simulator()?.set_faults(SetFaultsRequest { faults: Vec::new() }).await?;
            Ok(())
        })
        .await
    }

    /// Ends everything in an orderly way; logs stay where something was wrong.
    pub(crate) async fn stop(self, fine: bool) -> Result<()> {
        self.installation.stop().await?;
        if !fine {
            println!("chaos: the logs are kept in {}", self.installation.keep().display());
        }
        Ok(())
    }
}
