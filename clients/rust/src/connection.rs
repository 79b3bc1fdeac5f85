//! Where the server is and how to talk to it: address, TLS, deadlines, token.

use std::{fs, net::IpAddr, path::PathBuf, time::Duration};

use http::Uri;
use sprout_conf::Secret;
use sprout_proto::{
    appliance::appliance_service_client::ApplianceServiceClient, audit::audit_service_client::AuditServiceClient,
    catalogue::catalogue_service_client::CatalogueServiceClient, cleanup::cleanup_service_client::CleanupServiceClient,
    config::config_service_client::ConfigServiceClient, event::event_service_client::EventServiceClient,
    group::group_service_client::GroupServiceClient, job::job_service_client::JobServiceClient,
    pool::pool_service_client::PoolServiceClient, provider::provider_service_client::ProviderServiceClient,
    shepherd::shepherd_service_client::ShepherdServiceClient, stats::stats_service_client::StatsServiceClient,
    task::task_service_client::TaskServiceClient, template::template_service_client::TemplateServiceClient,
    usage::usage_service_client::UsageServiceClient, user::user_group_service_client::UserGroupServiceClient,
    user::user_service_client::UserServiceClient, worker::worker_service_client::WorkerServiceClient,
    workflow::workflow_service_client::WorkflowServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, ClientTlsConfig, Endpoint},
};

use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{error::ClientError, failover::Failover};

/// Where a server listens unless it is told otherwise.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:7600";

/// A connection may take this long to be made.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// An answer (of a stream: its beginning) may take this long.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// A silent connection is asked for a sign of life this often, and given up when none comes for as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://host:port`, or `http://host:port` on this machine; several servers of one installation with commas between them.
    pub server: String,
    /// PEM file with the certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Sent with each call.
    pub token: Option<Secret>,
    /// Allow `http://` to other machines: token and passwords then travel in the clear.
    pub insecure: bool,
}

impl Settings {
    /// Settings for a server, without a token.
    pub fn new(server: impl Into<String>) -> Self {
        Self { server: server.into(), ca: None, token: None, insecure: false }
    }
}

/// A channel that sends the token with each call.
pub type Authorized = InterceptedService<Failover, Bearer>;

/// Adds the token to a call.
#[derive(Clone, Debug)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A server, connected to with the first call, and again whenever the connection broke. Of several servers one is called until it fails, then the
/// next: a call goes there by itself if nobody was there to send it to; one that was sent reaches another one when it is repeated, if it may be
/// (see [`crate::retry`]). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection {
    channel: Failover,
    bearer: Bearer,
}

impl Connection {
    /// Checks the settings; connects with the first call. Must be called inside a tokio runtime.
    pub fn open(settings: Settings) -> Result<Self, ClientError> {
        let bearer = settings.token.as_ref().map(bearer).transpose()?;
        let servers = settings.server.split(',').map(|server| {
            let server = server.trim();
            Ok((
                server.to_owned(),
                endpoint(&Settings { server: server.to_owned(), ..settings.clone() })?.connect_lazy(),
            ))
        });
        let channel = Failover::new(servers.collect::<Result<_, ClientError>>()?);
        Ok(Self { channel, bearer: Bearer(bearer) })
    }

    /// The same connection with another token.
    pub fn with_token(&self, token: &Secret) -> Result<Self, ClientError> {
        Ok(Self { channel: self.channel.clone(), bearer: Bearer(Some(bearer(token)?)) })
    }

    /// The URL of the server that is called now.
    pub fn server(&self) -> &str {
        self.channel.server()
    }

    /// The channel itself, without a token: for whoever passes on calls of others.
    pub fn channel(&self) -> Failover {
        self.channel.clone()
    }

    /// How many servers there are to call.
    pub(crate) fn server_count(&self) -> usize {
        self.channel.count()
    }

    /// Whether calls carry a token.
    pub fn has_token(&self) -> bool {
        self.bearer.0.is_some()
    }

    /// Whether the server serves: it answers, and so does its database.
    pub async fn serving(&self) -> Result<bool, ClientError> {
        let request = HealthCheckRequest::default();
        let answer =
            HealthClient::new(self.channel.clone()).check(request).await.map_err(|status| self.explain(status))?;
        Ok(answer.into_inner().status() == ServingStatus::Serving)
    }

    /// Turns the status of a failed call into an error that names the server and can be matched on.
    #[allow(clippy::needless_pass_by_value, reason = "reads as map_err(|status| connection.explain(status))")]
    pub fn explain(&self, status: Status) -> ClientError {
        match ClientError::from_status(self.server(), &status) {
            // Another one may well listen.
            ClientError::Unreachable { server, cause, .. } if self.server_count() > 1 => {
                ClientError::Unreachable { server, cause, refused: false }
            }
            error => error,
        }
    }

    fn authorized(&self) -> Authorized {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }
}

macro_rules! services {
    ($($name:ident: $client:ident, $what:literal;)*) => {
        impl Connection {
            $(
                #[doc = concat!("Calls on ", $what, ".")]
                pub fn $name(&self) -> $client<Authorized> {
                    $client::new(self.authorized())
                }
            )*
        }
    };
}

services! {
    appliances: ApplianceServiceClient, "appliances";
    audit: AuditServiceClient, "the audit log";
    catalogue: CatalogueServiceClient, "catalogues, and what names of templates say";
    cleanup: CleanupServiceClient, "clean-up rules";
    config: ConfigServiceClient, "the state of configuration";
    events: EventServiceClient, "the event log";
    groups: GroupServiceClient, "groups";
    jobs: JobServiceClient, "jobs";
    pools: PoolServiceClient, "pools";
    providers: ProviderServiceClient, "providers";
    shepherds: ShepherdServiceClient, "shepherds";
    stats: StatsServiceClient, "numbers over time";
    tasks: TaskServiceClient, "tasks";
    templates: TemplateServiceClient, "templates";
    usage: UsageServiceClient, "usage";
    user_groups: UserGroupServiceClient, "user groups";
    users: UserServiceClient, "users and the caller's token";
    workers: WorkerServiceClient, "workers";
    workflows: WorkflowServiceClient, "workflows";
}

fn bearer(token: &Secret) -> Result<MetadataValue<Ascii>, ClientError> {
    let mut value = MetadataValue::try_from(format!("Bearer {}", token.expose()))
        .map_err(|_| ClientError::settings("the token has characters that no token has; sign in again"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn endpoint(settings: &Settings) -> Result<Endpoint, ClientError> {
    let server = &settings.server;
    let wrong = |why: &str| ClientError::settings(format!("server address `{server}`: {why}"));
    let form = "write https://HOST:PORT, or http://127.0.0.1:PORT for a server on this machine";
    let uri: Uri = server.parse().map_err(|e| wrong(&format!("{e}; {form}")))?;
    let host = uri.host().unwrap_or_default();
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || host.is_empty() {
        return Err(wrong(form));
    }
    let endpoint = Endpoint::from(uri.clone())
        .connect_timeout(CONNECT_DEADLINE)
        .timeout(ANSWER_DEADLINE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .tcp_nodelay(true);
    match uri.scheme_str() {
        Some("https") => {
            let tls = match &settings.ca {
                None => ClientTlsConfig::new().with_native_roots(),
                Some(path) => {
                    let pem = fs::read(path).map_err(|e| {
                        ClientError::settings(format!("CA file {} cannot be read: {e}", path.display()))
                    })?;
                    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
                        let message = format!("CA file {} has no certificate; it must be a PEM file", path.display());
                        return Err(ClientError::settings(message));
                    }
                    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
                }
            };
            endpoint.tls_config(tls).map_err(|e| wrong(&format!("TLS cannot be set up: {}", crate::error::chain(&e))))
        }
        Some("http") if settings.insecure || is_loopback(host) => Ok(endpoint),
        Some("http") => Err(wrong(
            "http:// to another machine would send passwords and tokens in the clear; use https://, or --insecure if you must",
        )),
        _ => Err(wrong(form)),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn check(server: &str, insecure: bool) -> Result<(), String> {
        let settings = Settings { insecure, ..Settings::new(server) };
        endpoint(&settings).map(|_| ()).map_err(|e| e.to_string())
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for server in ["http://127.0.0.1:7600", "http://localhost:7600", "http://[::1]:7600", "https://example.com"] {
            assert_eq!(check(server, false), Ok(()), "{server}");
        }
        let message = check("http://192.0.2.1:7600", false).unwrap_err();
        assert_eq!(
            message,
            "server address `http://192.0.2.1:7600`: http:// to another machine would send passwords and tokens in the \
             clear; use https://, or --insecure if you must"
        );
        assert!(check("http://127.0.0.1.example.com:7600", false).is_err());
        assert_eq!(check("http://192.0.2.1:7600", true), Ok(()));
    }

    #[test]
    fn addresses_are_checked() {
        for server in ["127.0.0.1:7600", "ftp://x", "http://127.0.0.1:7600/path", "", "http://"] {
            let message = check(server, false).unwrap_err();
            assert!(message.ends_with("for a server on this machine"), "{server}: {message}");
        }
    }

    #[test]
    fn a_missing_ca_file_is_named() {
        let settings = Settings { ca: Some("/nowhere/ca.pem".into()), ..Settings::new("https://example.com") };
        let message = endpoint(&settings).unwrap_err().to_string();
        assert_eq!(message, "CA file /nowhere/ca.pem cannot be read: No such file or directory (os error 2)");
    }
}
