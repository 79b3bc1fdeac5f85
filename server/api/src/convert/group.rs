//! Groups on the wire.

use sprout_domain::group::{EndpointSpec, Group, Probe, ProbeCheck};
use sprout_proto::group::{self as proto, probe::Check};

use super::{Wire, span};

/// A group with how many appliances of it are kept warm.
impl From<Wire<(Group, u32)>> for proto::Group {
    fn from(Wire((group, warm_count)): Wire<(Group, u32)>) -> Self {
        Self {
            name: group.name.0,
            template_pattern: group.pattern.map(|pattern| pattern.as_str().to_owned()).unwrap_or_default(),
            default_lease: Some(span(group.default_lease)),
            max_lease: Some(span(group.max_lease)),
            warm_count,
            endpoints: group.endpoints.into_iter().map(|endpoint| Wire(endpoint).into()).collect(),
            probes: group.probes.into_iter().map(|probe| Wire(probe).into()).collect(),
            proof_limit: Some(span(group.proof_limit)),
            reminders: group.reminders.into_iter().map(span).collect(),
            deploy_limit: Some(span(group.deploy_limit)),
            template_obsolete: group.template_obsolete_days.map(days),
            template_delete: group.template_obsolete_days_delete.map(days),
        }
    }
}

/// So many days.
fn days(days: u32) -> prost_types::Duration {
    span(std::time::Duration::from_secs(u64::from(days) * 24 * 60 * 60))
}

impl From<Wire<EndpointSpec>> for proto::EndpointSpec {
    fn from(Wire(endpoint): Wire<EndpointSpec>) -> Self {
        Self { name: endpoint.name, port: endpoint.port.into(), scheme: endpoint.scheme.unwrap_or_default() }
    }
}

impl From<Wire<Probe>> for proto::Probe {
    fn from(Wire(probe): Wire<Probe>) -> Self {
        let check = match probe.check {
            ProbeCheck::Http { tls, path, statuses, body_contains } => Check::Http(proto::HttpProbe {
                tls,
                path,
                statuses: statuses.into_iter().map(Into::into).collect(),
                body_contains,
            }),
            ProbeCheck::Tcp => Check::Tcp(proto::TcpProbe {}),
            ProbeCheck::Ssh => Check::Ssh(proto::SshProbe {}),
        };
        Self {
            endpoint: probe.endpoint,
            deadline: Some(span(probe.deadline)),
            timeout: Some(span(probe.timeout)),
            check: Some(check),
        }
    }
}
