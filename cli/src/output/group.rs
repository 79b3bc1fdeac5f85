//! Groups as they are shown.

use serde::Serialize;
use sprout_client::proto::group::{Group, Probe, probe::Check};

use super::{Card, Row, facts, some, time};

/// One group.
#[derive(Debug, Serialize)]
pub(crate) struct GroupView {
    name: String,
    template_pattern: String,
    default_lease_seconds: Option<i64>,
    max_lease_seconds: Option<i64>,
    warm_count: u32,
    endpoints: Vec<EndpointSpecView>,
    probes: Vec<ProbeView>,
}

#[derive(Debug, Serialize)]
struct EndpointSpecView {
    name: String,
    port: u32,
    scheme: Option<String>,
}

#[derive(Debug, Serialize)]
struct ProbeView {
    endpoint: String,
    check: &'static str,
    path: Option<String>,
    deadline_seconds: Option<i64>,
}

impl From<Probe> for ProbeView {
    fn from(p: Probe) -> Self {
        let (check, path) = match p.check {
            Some(Check::Http(http)) => (if http.tls { "https" } else { "http" }, Some(http.path)),
            Some(Check::Tcp(_)) => ("tcp", None),
            Some(Check::Ssh(_)) => ("ssh", None),
            None => ("unknown", None),
        };
        Self { endpoint: p.endpoint, check, path, deadline_seconds: time::seconds(p.deadline) }
    }
}

impl From<Group> for GroupView {
    fn from(g: Group) -> Self {
        let endpoints = g.endpoints.into_iter();
        Self {
            name: g.name,
            template_pattern: g.template_pattern,
            default_lease_seconds: time::seconds(g.default_lease),
            max_lease_seconds: time::seconds(g.max_lease),
            warm_count: g.warm_count,
            endpoints: endpoints
                .map(|e| EndpointSpecView { name: e.name, port: e.port, scheme: some(e.scheme) })
                .collect(),
            probes: g.probes.into_iter().map(ProbeView::from).collect(),
        }
    }
}

impl GroupView {
    fn services(&self) -> String {
        self.endpoints.iter().map(|e| format!("{}:{}", e.name, e.port)).collect::<Vec<_>>().join(" ")
    }

    fn checks(&self) -> String {
        let check = |p: &ProbeView| format!("{} on {}{}", p.check, p.endpoint, p.path.as_deref().unwrap_or_default());
        self.probes.iter().map(check).collect::<Vec<_>>().join(", ")
    }
}

fn rough(seconds: Option<i64>) -> Option<String> {
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(time::rough)
}

impl Row for GroupView {
    const PLURAL: &'static str = "groups";
    const COLUMNS: &'static [&'static str] = &["NAME", "WARM", "LEASE", "LONGEST LEASE", "ENDPOINTS", "READY WHEN"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.warm_count.to_string(),
            rough(self.default_lease_seconds).unwrap_or_else(|| "-".to_owned()),
            rough(self.max_lease_seconds).unwrap_or_else(|| "-".to_owned()),
            self.services(),
            self.checks(),
        ]
    }
}

impl Card for GroupView {
    fn text(&self) -> String {
        facts(&[
            ("group", Some(self.name.clone())),
            ("templates match", some(self.template_pattern.clone())),
            ("kept warm", Some(self.warm_count.to_string())),
            ("lease", rough(self.default_lease_seconds)),
            ("longest lease", rough(self.max_lease_seconds)),
            ("endpoints", some(self.services())),
            ("ready when", some(self.checks())),
        ])
    }
}
