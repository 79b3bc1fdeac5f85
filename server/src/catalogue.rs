//! From configuration to the domain's catalogue.

use sprout_config::{CheckConfig, Config, DriverConfig, ExternalConfig, GroupConfig, Mistakes, ProviderConfig};
use sprout_domain::{
    Catalogue, GroupName, ProviderKey, Secret,
    group::{EndpointSpec, Group, Probe, ProbeCheck, TemplatePattern},
    provider::{ProviderSettings, ProviderSpec},
    version::ReleaseNames,
};

/// The catalogue; what of it cannot be made is in `mistakes`.
pub(crate) fn catalogue(config: &Config, mistakes: &mut Mistakes) -> Catalogue {
    let mut catalogue = Catalogue {
        holds_per_user: config.server.holds_per_user,
        leak_grace: config.server.leak_grace.0,
        orphan_grace: config.server.orphan_grace.0,
        ..Catalogue::default()
    };
    for (name, group) in &config.server.groups {
        match TemplatePattern::new(&group.template_pattern.value) {
            Ok(pattern) => {
                let group = self::group(name, group, pattern);
                catalogue.groups.insert(group.name.clone(), group);
            }
            // Told already, unless the two rules differ.
            Err(error) if mistakes.is_empty() => {
                let path = format!("groups.{name}.template_pattern");
                config.mistake_at(mistakes, &group.template_pattern, &path, error.to_string());
            }
            Err(_) => {}
        }
    }
    if let Some(names) = &config.server.release_names {
        catalogue.release_names = ReleaseNames::new(names.iter().map(|(name, number)| (name, &number.value)));
    }
    catalogue.providers = config.providers.iter().map(|p| (ProviderKey(p.key.clone()), provider(p))).collect();
    catalogue
}

fn group(name: &str, group: &GroupConfig, pattern: TemplatePattern) -> Group {
    let endpoint = |(name, endpoint): (&String, &sprout_config::EndpointConfig)| EndpointSpec {
        name: name.clone(),
        port: endpoint.port.value,
        scheme: endpoint.scheme.clone(),
    };
    let probes = group.probes.iter().filter_map(|probe| {
        let check = match probe.check()? {
            CheckConfig::Tcp => ProbeCheck::Tcp,
            CheckConfig::Ssh => ProbeCheck::Ssh,
            CheckConfig::Http(http) => ProbeCheck::Http {
                tls: http.tls,
                path: http.path.clone(),
                statuses: http.statuses.clone(),
                body_contains: http.body_contains.clone(),
            },
        };
        let endpoint = probe.endpoint.value.clone();
        Some(Probe { endpoint, deadline: probe.deadline.0, timeout: probe.timeout.0, check })
    });
    Group {
        name: GroupName(name.to_owned()),
        pattern,
        default_lease: group.default_lease.0,
        max_lease: group.max_lease.0,
        reminders: group.lease_reminders.iter().map(|before| before.0).collect(),
        quarantine_failures: group.quarantine_failures.value,
        proof_limit: group.proof_limit.0,
        deploy_limit: group.deploy_limit.0,
        template_obsolete_days: group.template_obsolete_days.as_ref().map(|days| days.value),
        template_obsolete_days_delete: group.template_obsolete_days_delete.as_ref().map(|days| days.value),
        endpoints: group.endpoints.iter().map(endpoint).collect(),
        probes: probes.collect(),
    }
}

fn provider(provider: &ProviderConfig) -> ProviderSpec {
    let settings = match provider.driver.clone() {
        DriverConfig::Container(container) => ProviderSettings::Container {
            socket: container.socket,
            publish_address: container.publish_address,
            memory_mib: container.memory_mib,
            cpus: container.cpus,
        },
        DriverConfig::Libvirt(libvirt) => ProviderSettings::Libvirt {
            uri: libvirt.uri,
            storage_pool: libvirt.storage_pool,
            network: libvirt.network,
            domain_type: libvirt.domain_type,
            memory_mib: libvirt.memory_mib,
            cpus: libvirt.cpus,
        },
        DriverConfig::External(external) => self::external(false, external),
        DriverConfig::Sim(sim) => self::external(true, sim),
    };
    ProviderSpec {
        key: ProviderKey(provider.key.clone()),
        name: provider.name.clone(),
        provisioning_limit: provider.provisioning_limit,
        appliance_limit: provider.appliance_limit,
        memory_limit_mib: provider.memory_limit.map(|limit| limit.mib),
        cpu_limit: provider.cpu_limit.map(u64::from),
        circuit_failures: provider.circuit_failures,
        disabled: provider.disabled,
        settings,
    }
}

fn external(simulated: bool, external: ExternalConfig) -> ProviderSettings {
    ProviderSettings::External {
        simulated,
        endpoint: external.endpoint,
        token: Secret::new(external.token.expose()),
        ca_pem: external.ca_pem,
        memory_mib: external.memory_mib,
        cpus: external.cpus,
    }
}
