//! Waits until the appliance has an address and all its services can be located. May be repeated: it only looks.

use sprout_proto::{
    appliance::Endpoint,
    group::EndpointSpec,
    task::{ObservedOutput, StepOutput, WaitAddressStep},
};

use super::{
    StepContext, invalid,
    look::{Pulse, Seen, observation, power_name},
    named, observed,
    poll::{self, Patience, Pauses},
};
use crate::driver::{Instance, PowerState, Result};

pub(super) async fn run(ctx: &StepContext, step: &WaitAddressStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    for spec in &step.endpoints {
        port(spec)?;
    }
    let (mut pauses, mut patience) = (Pauses::up_to(poll::LOOKS), Patience::default());
    let mut pulse = Pulse::default();
    loop {
        if let Some(seen) = patience.forgive(ctx, subject.look(ctx).await)? {
            pulse.check(subject, &seen)?;
            if let Seen::Ours(instance) = &seen {
                if let Some(located) = locate(instance, &step.endpoints)? {
                    return Ok(observed(located));
                }
                ctx.status(None, format!("waiting for an address ({})", power_name(instance.power)));
            }
        }
        pauses.wait().await;
    }
}

/// The appliance with its address and all its endpoints; `None` while something is missing.
fn locate(instance: &Instance, specs: &[EndpointSpec]) -> Result<Option<ObservedOutput>> {
    if instance.power != PowerState::On {
        return Ok(None);
    }
    let mut endpoints = Vec::with_capacity(specs.len());
    for spec in specs {
        let inside = port(spec)?;
        let (host, port) = match (instance.published.get(&inside), &instance.address) {
            (Some((host, outside)), _) => (host.clone(), *outside),
            (None, Some(address)) => (address.clone(), inside),
            (None, None) => return Ok(None),
        };
        let url = (!spec.scheme.is_empty()).then(|| url(&spec.scheme, &host, port));
        endpoints.push(Endpoint { name: spec.name.clone(), host, port: port.into(), url });
    }
    let address = instance.address.clone().or_else(|| endpoints.first().map(|endpoint| endpoint.host.clone()));
    Ok(address.map(|address| ObservedOutput { address: Some(address), endpoints, ..observation(instance) }))
}

fn port(spec: &EndpointSpec) -> Result<u16> {
    u16::try_from(spec.port).ok().filter(|port| *port != 0).ok_or_else(|| {
        let EndpointSpec { name, port, .. } = spec;
        invalid(format!("the endpoint {name} has the port {port}; correct it in the group: 1 to 65535"))
    })
}

/// A URL without the port where the scheme implies it.
fn url(scheme: &str, host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match (scheme, port) {
        ("http", 80) | ("https", 443) | ("ssh", 22) => format!("{scheme}://{host}"),
        _ => format!("{scheme}://{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn urls() {
        assert_eq!(url("http", "127.0.0.1", 32768), "http://127.0.0.1:32768");
        assert_eq!(url("https", "10.0.0.7", 443), "https://10.0.0.7");
        assert_eq!(url("http", "fd00::7", 8080), "http://[fd00::7]:8080");
    }
}
