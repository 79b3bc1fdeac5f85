//! Cloning: one container, created with its marks, ports and limits in a single call, so that it is there whole or not at all.

use std::{collections::HashMap, fs};

use bollard::{
    models::{ContainerCreateBody, HostConfig, PortBinding, ResourcesUlimits},
    query_parameters::CreateContainerOptions,
};

use super::{
    ContainerDriver,
    engine::{Facts, QUICK, SLOW},
    instance, name,
};
use crate::driver::{CloneSpec, DriverError, Reason, Result};

impl ContainerDriver {
    pub(super) async fn create(&self, spec: &CloneSpec) -> Result<()> {
        name::check_appliance(&spec.name)?;
        name::check_template(&spec.template)?;
        let memory_mib = spec.memory_mib.or(self.settings.memory_mib);
        let cpus = spec.cpus.or(self.settings.cpus);
        let facts = self.check_room(memory_mib, cpus).await?;

        let ports: Vec<String> = spec.endpoints.iter().map(|endpoint| inside(endpoint.port)).collect::<Result<_>>()?;
        let binding =
            PortBinding { host_ip: Some(self.settings.publish.bind.to_string()), host_port: Some(String::new()) };
        let bindings: HashMap<_, _> = ports.iter().map(|port| (port.clone(), Some(vec![binding.clone()]))).collect();
        let memory = memory_mib.map(memory_bytes);
        let body = ContainerCreateBody {
            image: Some(spec.template.clone()),
            labels: Some(instance::labels(&spec.tags)),
            exposed_ports: Some(ports),
            host_config: Some(HostConfig {
                port_bindings: Some(bindings),
                memory,
                memory_swap: memory,
                nano_cpus: cpus.map(nano_cpus),
                ulimits: (facts.podman.is_some() && self.engine.is_local()).then(own_ulimits).flatten(),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptions { name: Some(spec.name.clone()), ..CreateContainerOptions::default() };
        let what = format!("create {} from {}", spec.name, spec.template);
        let created = self
            .engine
            .call(SLOW, &what, |docker| async move { docker.create_container(Some(options), body).await })
            .await;
        match created {
            Ok(_) => Ok(()),
            Err(failure) if failure.name_in_use() => {
                Err(DriverError::new(Reason::NameTaken, format!("there is a container {} already", spec.name)))
            }
            Err(failure) if failure.no_image() => Err(DriverError::new(
                Reason::TemplateNotFound,
                format!(
                    "there is no image {} on {}; load or pull it there, or choose another template",
                    spec.template,
                    self.engine.socket()
                ),
            )),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Refuses what the engine's machine can never give. Engines accept any memory limit and would let the appliance die later.
    pub(super) async fn check_room(&self, memory_mib: Option<u32>, cpus: Option<u32>) -> Result<Facts> {
        if memory_mib == Some(0) || cpus == Some(0) {
            return Err(DriverError::new(Reason::Invalid, "an appliance needs more than 0 MiB of memory and 0 CPUs"));
        }
        let room = |facts: &Facts| {
            let wanted = u64::from(memory_mib.unwrap_or(0)) << 20;
            match (facts.memory_bytes, facts.cpus) {
                (Some(has), _) if wanted > has => {
                    Some(format!("{} MiB of memory, but has {}", wanted >> 20, has >> 20))
                }
                (_, Some(has)) if cpus.unwrap_or(0) > has => Some(format!("{} CPUs, but has {has}", cpus.unwrap_or(0))),
                _ => None,
            }
        };
        let facts = self.engine.facts().await?;
        if room(&facts).is_none() {
            return Ok(facts);
        }
        // The machine may have grown since it was asked.
        let facts = self.engine.ask_facts().await?;
        match room(&facts) {
            None => Ok(facts),
            Some(lack) => Err(DriverError::new(
                Reason::NoCapacity,
                format!(
                    "the machine of {} would need {lack}; ask for less, or use another provider",
                    self.engine.socket()
                ),
            )),
        }
    }

    /// Changes the limits of a container that exists.
    pub(super) async fn update(&self, name: &str, memory_mib: Option<u32>, cpus: Option<u32>) -> Result<()> {
        if self.capabilities_now().resize.is_none() {
            return Err(self.cannot_resize());
        }
        self.check_room(memory_mib, cpus).await?;
        // Asking the engine may have told that it is one that cannot.
        if self.capabilities_now().resize.is_none() {
            return Err(self.cannot_resize());
        }
        let found = self.expect(name).await?;
        let body = bollard::models::ContainerUpdateBody {
            memory: memory_mib.map(memory_bytes),
            memory_swap: memory_mib.map(memory_bytes),
            nano_cpus: cpus.map(nano_cpus),
            ..Default::default()
        };
        let id = found.provider_ref;
        let updated = self
            .engine
            .call(QUICK, &format!("resize {name}"), |docker| async move { docker.update_container(&id, body).await })
            .await;
        match updated {
            Err(failure) if failure.no_endpoint() => Err(self.cannot_resize()),
            Err(failure) if failure.no_container() => Err(DriverError::not_found(name)),
            updated => Ok(updated?),
        }
    }

    fn cannot_resize(&self) -> DriverError {
        DriverError::unsupported(
            "container",
            &format!("resize appliances on {}; Docker and Podman 5.1 can", self.engine.socket()),
        )
    }
}

fn inside(port: u32) -> Result<String> {
    match u16::try_from(port) {
        Ok(port) if port > 0 => Ok(format!("{port}/tcp")),
        _ => Err(DriverError::new(Reason::Invalid, format!("{port} is no TCP port; correct the group's endpoints"))),
    }
}

fn memory_bytes(mib: u32) -> i64 {
    i64::from(mib) << 20
}

fn nano_cpus(cpus: u32) -> i64 {
    i64::from(cpus) * 1_000_000_000
}

/// Podman gives each container limits of its own choosing, and cannot start it where these are above its own hard limits.
/// An engine beside us has most likely our limits, so those are asked for, up to Podman's choice. It must be told both:
/// what is not told is chosen. `None` where this system does not tell our limits.
fn own_ulimits() -> Option<Vec<ResourcesUlimits>> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let ulimit = |name: &str, label: &str, at_most: i64| {
        let line = limits.lines().find_map(|line| line.strip_prefix(label))?;
        // "unlimited" is no number, and above any.
        let hard = line.split_whitespace().nth(1)?.parse().unwrap_or(at_most).min(at_most);
        Some(ResourcesUlimits { name: Some(name.to_owned()), soft: Some(hard), hard: Some(hard) })
    };
    Some(vec![ulimit("nofile", "Max open files", 1_048_576)?, ulimit("nproc", "Max processes", 32_768)?])
}
