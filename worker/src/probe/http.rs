//! Proves that an HTTP or HTTPS request is answered as expected.

use std::{sync::LazyLock, time::Duration};

use reqwest::{Client, Url, redirect::Policy};
use sprout_proto::group::HttpProbe;

use super::Failure;

/// Of a body, at most this much is read.
const BODY_LIMIT: usize = 64 * 1024;
/// A backstop; each try has its own limit.
const TIMEOUT: Duration = Duration::from_secs(300);

/// One client for all probes: setting one up takes longer than a request. It keeps no connections, since each try must prove
/// that a new one is accepted.
static CLIENT: LazyLock<Result<Client, String>> = LazyLock::new(|| {
    // An error means that the process has chosen one already, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("sprout-worker/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .danger_accept_invalid_certs(true)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| format!("the HTTP client cannot be set up: {error}"))
});

pub(super) async fn attempt(probe: &HttpProbe, host: &str, port: u16) -> Result<(), Failure> {
    let client = CLIENT.as_ref().map_err(Failure::new)?;
    let url = url(probe, host, port)?;
    let mut response = client.get(url).send().await.map_err(|error| Failure::from_chain(&error))?;
    let status = response.status().as_u16();
    let accepted = if probe.statuses.is_empty() {
        (200..400).contains(&status)
    } else {
        probe.statuses.contains(&u32::from(status))
    };
    if !accepted {
        return Err(Failure::new(format!("status {status}")));
    }
    if probe.body_contains.is_empty() {
        return Ok(());
    }
    let wanted = probe.body_contains.as_bytes();
    let mut body = Vec::new();
    while body.len() < BODY_LIMIT {
        let Some(chunk) = response.chunk().await.map_err(|error| Failure::from_chain(&error))? else { break };
        // A match may lie across two chunks.
        let from = (body.len() + 1).saturating_sub(wanted.len());
        body.extend_from_slice(&chunk[..chunk.len().min(BODY_LIMIT - body.len())]);
        if body[from.min(body.len())..].windows(wanted.len()).any(|part| part == wanted) {
            return Ok(());
        }
    }
    Err(Failure::new(format!("status {status}, but the body lacks {:?}", probe.body_contains)))
}

fn url(probe: &HttpProbe, host: &str, port: u16) -> Result<Url, Failure> {
    let scheme = if probe.tls { "https" } else { "http" };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let path = probe.path.trim_start_matches('/');
    let url = format!("{scheme}://{host}:{port}/{path}");
    Url::parse(&url).map_err(|error| Failure::new(format!("{url} is no URL: {error}")))
}
