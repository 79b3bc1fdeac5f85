//! From configuration to the domain's catalogue.

use sprout_config::{
    ActionConfig, CheckConfig, Config, Credentials, DriverConfig, ExternalConfig, GroupConfig, Mistakes,
    NameRuleConfig, ProviderConfig,
};
use sprout_domain::{
    Catalogue, GroupName, ProviderKey, Secret,
    builds::BuildSource,
    catalogue::Source,
    group::{EndpointSpec, Group, Probe, ProbeCheck, TemplatePattern},
    naming::{RuleSpec, Rules},
    preparation::{Action, Deed, HttpCall, Preparation, SshAccess},
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
    if let Some(rules) = &config.server.template_names {
        match Rules::new(rules.iter().map(rule)) {
            Ok(rules) => catalogue.names = rules,
            // Told already, unless the two rules differ.
            Err((at, error)) if mistakes.is_empty() => {
                config.mistake_at(mistakes, &rules[at].pattern, &format!("template_names[{at}]"), error.to_string());
            }
            Err(_) => {}
        }
    }
    for (name, group) in &config.server.groups {
        let pattern = group.template_pattern.as_ref();
        match pattern.map(|pattern| TemplatePattern::new(&pattern.value)).transpose() {
            Ok(None) if !catalogue.names.can_give(name) => {
                let message = "no rule of template_names says this stream, so no template could be its; give it a `template_pattern`";
                config.mistake(mistakes, &format!("groups.{name}"), message);
            }
            Ok(pattern) => {
                let group = self::group(name, group, pattern);
                catalogue.groups.insert(group.name.clone(), group);
            }
            Err(error) if mistakes.is_empty() => {
                config.mistake(mistakes, &format!("groups.{name}.template_pattern"), error.to_string());
            }
            Err(_) => {}
        }
    }
    for (name, source) in &config.server.catalogues {
        let groups = config.server.groups.iter();
        let known =
            groups.filter(|(_, group)| group.catalogue.as_ref().is_some_and(|catalogue| catalogue.value == *name));
        let groups = known.map(|(group, _)| GroupName(group.clone())).collect();
        let authorization = source.authorization();
        let source = Source {
            url: source.url.value.clone(),
            ca_pem: source.ca_pem.clone(),
            authorization: Secret::new(authorization.expose()),
            groups,
        };
        catalogue.sources.insert(name.clone(), source);
    }
    let without = config.providers.iter().filter(|provider| !provider.catalogue);
    catalogue.without_source = without.map(|provider| ProviderKey(provider.key.clone())).collect();
    if let Some(names) = &config.server.release_names {
        catalogue.release_names = ReleaseNames::new(names.iter().map(|(name, number)| (name, &number.value)));
    }
    catalogue.providers = config.providers.iter().map(|p| (ProviderKey(p.key.clone()), provider(p))).collect();
    catalogue
}

fn rule(rule: &NameRuleConfig) -> RuleSpec {
    RuleSpec {
        name: rule.name.value.clone(),
        pattern: rule.pattern.value.clone(),
        product: rule.product.clone(),
        stream: rule.stream.clone(),
        version: rule.version.clone(),
        date: rule.date.clone(),
        build_type: rule.build_type.clone(),
        unusable_types: rule.unusable_types.iter().cloned().collect(),
        ignore: rule.ignore,
        fallback: rule.fallback,
    }
}

fn group(name: &str, group: &GroupConfig, pattern: Option<TemplatePattern>) -> Group {
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
        preparation: preparation(group),
    }
}

fn preparation(group: &GroupConfig) -> Preparation {
    let secret = |secret: &sprout_config::Secret| Secret::new(secret.expose());
    let ssh = group.ssh.as_ref().and_then(|ssh| {
        let Credentials { username, password, others } = ssh.resolved.as_ref()?;
        Some(SshAccess {
            endpoint: ssh.endpoint.value.clone(),
            username: username.clone()?,
            password: password.as_ref().map(secret),
            private_key: others.get("private_key").map(secret),
        })
    });
    let actions = |actions: &[ActionConfig]| actions.iter().filter_map(action).collect();
    match &group.prepare {
        None => Preparation { ssh, update: actions(&group.update), ..Preparation::default() },
        Some(prepare) => Preparation {
            wanted: true,
            builds: builds(group),
            automatic: prepare.automatic,
            ssh,
            version: prepare.version.as_ref().and_then(action),
            configure: actions(&prepare.configure),
            seal: actions(&prepare.seal),
            update: actions(&group.update),
        },
    }
}

fn builds(group: &GroupConfig) -> Option<BuildSource> {
    let url = group.templates_url.as_ref()?.value.clone();
    let pattern = group.build_pattern.as_ref().or(group.template_pattern.as_ref())?;
    let image = group.build_image.as_ref().map_or_else(|| "{name}".to_owned(), |image| image.value.clone());
    // What is no pattern was told already.
    Some(BuildSource { url, pattern: TemplatePattern::new(&pattern.value).ok()?, image })
}

/// None: it is none, which was told already.
fn action(action: &ActionConfig) -> Option<Action> {
    let name = |path: &std::path::Path| path.display().to_string();
    let deed = if let Some(text) = &action.script {
        let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let name: String = first.unwrap_or("script").chars().take(40).collect();
        Deed::Script { name, text: text.as_str().into() }
    } else if let (Some(file), Some(content)) = (&action.script_file, &action.content) {
        let text = String::from_utf8_lossy(content);
        Deed::Script { name: name(&file.value), text: text.as_ref().into() }
    } else if let (Some(upload), Some(content)) = (&action.upload, &action.content) {
        let path = upload.to.value.clone();
        Deed::Upload { name: name(&upload.file.value), content: content.clone(), path, mode: upload.mode()? }
    } else {
        let http = action.http.as_ref()?;
        let credentials = http.resolved.as_ref().and_then(|found| {
            Some((found.username.clone()?, Secret::new(found.password.as_ref().map_or("", |p| p.expose()))))
        });
        Deed::Http(Box::new(HttpCall {
            endpoint: http.endpoint.value.clone(),
            tls: http.tls,
            method: http.method.clone(),
            path: http.path.clone(),
            body: http.body.clone(),
            content_type: http.content_type.clone(),
            statuses: http.statuses.clone(),
            credentials,
        }))
    };
    Some(Action { deed, limit: action.limit.0, silence: Some(action.silence.0) })
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
        configuring_limit: provider.configuring_limit,
        template_name_limit: provider.template_name_limit,
        container_base_template: provider.container_base_template.clone(),
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use sprout_config::SHIPPED_STREAMS;

    use super::*;

    /// What the sample says is what is known without it.
    #[test]
    fn the_sample_has_the_rules_for_names_that_are_the_default() {
        let mut mistakes = Mistakes::default();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/sprout.yaml");
        let config = sprout_config::read(&sample, &mut mistakes).unwrap();
        assert!(config.server.template_names.is_some());
        let written = catalogue(&config, &mut mistakes);
        mistakes.or(()).unwrap();
        assert_eq!(written.names.specs().collect::<Vec<_>>(), Rules::default().specs().collect::<Vec<_>>());
        // Who checks files without a server knows what these are for.
        let rules = Rules::default();
        let streams: BTreeSet<_> =
            rules.specs().filter(|rule| !rule.ignore).filter_map(|rule| rule.stream.as_deref()).collect();
        assert_eq!(streams, SHIPPED_STREAMS.into());
        assert_eq!(config.notes, [""; 0]);
    }
}
