//! Numbers for Prometheus, on an address of their own: what this server knows of itself, and the newest sample. Nothing is labelled by user,
//! appliance or pool, so there are no more of them however large the installation is.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use sprout_api::Meter;
use sprout_app::App;
use sprout_domain::stats::Sample;
use sprout_store::SeaStore;
use tokio::{net::TcpListener, time::timeout};

/// A database that does not answer within this time is left away.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is answered.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Number = Gauge<f64, AtomicU64>;

/// What is looked at when somebody asks.
pub(crate) struct Metrics {
    pub(crate) app: Arc<App>,
    pub(crate) store: SeaStore,
    pub(crate) meter: Meter,
    pub(crate) version: &'static str,
}

/// Serves `/metrics` until dropped.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics) -> std::io::Result<()> {
    let routes = Router::new().route("/metrics", get(answer)).with_state(Arc::new(metrics));
    axum::serve(listener, routes).await
}

/// Says where numbers are.
pub(crate) fn announce(address: SocketAddr) {
    tracing::info!("metrics are at http://{address}/metrics");
}

async fn answer(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, FORMAT)], metrics.text().await)
}

impl Metrics {
    /// All there is to tell at this moment.
    async fn text(&self) -> String {
        let mut registry = Registry::with_prefix("sprout");
        self.meter.register(&mut registry);
        self.server(&mut registry);
        let sample = timeout(PATIENCE, self.app.latest_sample()).await;
        match sample {
            Ok(Ok((sample, last_event))) => of_sample(&mut registry, sample.as_ref(), last_event),
            Ok(Err(error)) => tracing::debug!(%error, "metrics come without numbers of the database"),
            Err(_) => tracing::debug!("metrics come without numbers of the database, which does not answer in time"),
        }
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                String::new()
            }
        }
    }

    fn server(&self, registry: &mut Registry) {
        let build = Family::<[(&'static str, &'static str); 1], Number>::default();
        build.get_or_create(&[("version", self.version)]).set(1.0);
        registry.register("build", "Always 1; the label is the version of the server", build);
        gauge(registry, "leader", "1: this server leads, it runs the jobs", number(self.app.leads()));
        let answers = *self.app.database_answers().borrow();
        gauge(registry, "database_up", "1: the database answers", number(answers));
        let load = self.store.load();
        gauge(registry, "database_connections", "Connections to the database", load.open);
        gauge(registry, "database_connections_busy", "Connections that are in use", load.busy);
        let commits = Counter::<u64>::default();
        commits.inc_by(load.commits);
        registry.register("database_commits", "Transactions that this server committed", commits);
        if let Some(configuration) = self.app.configuration() {
            let refused = configuration.refused.as_ref();
            let mistakes = refused.map_or(0, |refused| refused.mistakes.len());
            let (generation, ok) = (configuration.generation, number(refused.is_none()));
            let tried = refused.map_or(configuration.loaded_at, |refused| refused.refused_at);
            gauge(registry, "config_generation", "Configurations that were taken since the server started", generation);
            gauge(registry, "config_reload_ok", "0: the last one was refused, the one before it stays", ok);
            gauge(registry, "config_reload_timestamp_seconds", "When configuration was read last", seconds(tried));
            gauge(registry, "config_mistakes", "Mistakes in the configuration that was refused", mistakes);
        }
    }
}

/// The newest sample; of what happened, that of its span.
fn of_sample(registry: &mut Registry, sample: Option<&Sample>, last_event: i64) {
    gauge(registry, "event_sequence", "Number of the last event", last_event);
    let Some(sample) = sample else { return };
    let uncounted = last_event - sample.sequence;
    gauge(
        registry,
        "sample_timestamp_seconds",
        "End of the newest sample; idle minutes have none",
        sample.at.timestamp(),
    );
    gauge(registry, "sample_uncounted_events", "Events since the newest sample", uncounted);
    if let Some(levels) = &sample.levels {
        gauge(registry, "waiting_pools", "Pools that wait for room", levels.waiting_pools);
        gauge(registry, "waiting_seats", "Appliances that these wait for", levels.waiting_seats);
        let appliances = Family::<[(&'static str, &'static str); 1], Number>::default();
        for (state, count) in &levels.appliances {
            appliances.get_or_create(&[("state", state.as_str())]).set(float(*count));
        }
        registry.register("appliances", "Appliances by state, without those that are gone", appliances);
        gauge(registry, "warm_appliances", "Ready appliances that are nobody's", levels.warm);
        gauge(registry, "workers", "Workers that are connected", levels.workers);
        gauge(registry, "worker_slots", "Steps that these can run at once", levels.slots);
        gauge(registry, "running_tasks", "Steps that workers run", levels.running_tasks);
    }
    let flows = &sample.flows;
    for (name, help, count) in [
        ("sample_pools_requested", "Pools requested in the span of the newest sample", flows.pools_requested),
        ("sample_pools_ready", "Pools that became ready in it", flows.waits.count()),
        ("sample_pools_failed", "Pools that failed in it", flows.pools_failed),
        (
            "sample_granted_warm",
            "Appliances of pools that became ready in it that were warm before",
            flows.granted_warm,
        ),
        ("sample_deployed", "Appliances of pools that became ready in it that were deployed for them", flows.deployed),
        ("sample_appliances_failed", "Deployments that failed in it", flows.appliances_failed),
        ("sample_workflows_failed", "Workflows that failed in it", flows.workflows_failed),
        ("sample_tasks_done", "Steps on appliances that went well in it", flows.tasks_done),
        ("sample_tasks_failed", "Tries of steps on appliances that did not", flows.tasks_failed),
    ] {
        gauge(registry, name, help, count);
    }
    if let Some(wait) = flows.waits.percentile(95) {
        registry.register("sample_wait_p95_seconds", "95 of 100 of them took no longer than about this", {
            let gauge = Number::default();
            gauge.set(wait.as_secs_f64());
            gauge
        });
    }
}

/// Registers one number.
fn gauge(registry: &mut Registry, name: &str, help: &str, value: impl TryInto<i64>) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value.try_into().unwrap_or(i64::MAX));
    registry.register(name, help, gauge);
}

fn number(is: bool) -> u32 {
    u32::from(is)
}

#[allow(clippy::cast_precision_loss, reason = "counts are small")]
fn float(count: u64) -> f64 {
    count as f64
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
