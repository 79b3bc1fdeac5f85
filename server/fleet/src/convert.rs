//! Between the domain and the workers' protocol.

mod machine;
mod workshop;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sprout_app::{Assignment, Outcome, TaskKey, log::step_line};
use sprout_domain::{
    ApplianceId, TaskId, WorkerId,
    appliance::{Appliance, PowerState},
    group::{self, Endpoint, ProbeCheck},
    operation::Capability,
    provider::{ProviderSettings, ProviderSpec, Totals},
    workflow::{StepError, StepErrorReason, StepKind, StepOutput, Subject, Task, WorkflowKind},
};
use sprout_proto::{
    appliance as appliance_pb, group as group_pb,
    task::{self as pb, step_input::Step, step_output::Output},
    worker::{
        Assign, ContainerSettings, ExternalSettings, LibvirtSettings, Log, LogLevel, ProviderAccess, TaskRef, done,
        provider_access::Settings,
    },
};

pub(crate) fn key(task: &TaskRef) -> TaskKey {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX); // no such task: refused like any other
    TaskKey { id: TaskId(number(task.task_id)), epoch: number(task.epoch) }
}

pub(crate) fn task_ref(key: TaskKey) -> TaskRef {
    TaskRef { task_id: key.id.into(), epoch: key.epoch.unsigned_abs() }
}

pub(crate) fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

pub(crate) fn assign(assignment: Assignment) -> Assign {
    let Assignment {
        task,
        provider,
        deadline,
        appliance,
        template,
        endpoints,
        probes,
        installation_id,
        leftovers,
        preparation,
        made,
    } = assignment;
    let key = TaskKey { id: task.id, epoch: task.epoch };
    let epoch = key.epoch.unsigned_abs();
    let tags = |id: ApplianceId| pb::Tags { installation_id: installation_id.clone(), appliance_id: id.into(), epoch };
    let reference = match (&task.subject, &appliance) {
        (Subject::Machine(target), _) => Some(machine::reference(target, tags)),
        (_, Some(appliance)) => Some(pb::ApplianceRef {
            name: appliance.name.clone(),
            new_name: appliance.new_name.clone().unwrap_or_default(),
            tags: Some(tags(appliance.id)),
            unmarked: false,
        }),
        _ => None,
    };
    let step = match task.step {
        StepKind::ListMachines => Step::ListMachines(pb::ListMachinesStep { installation_id }),
        StepKind::DeleteMachines => machine::deletions(leftovers, &installation_id, epoch),
        StepKind::DeleteMachine => machine::deletion(reference),
        StepKind::WaitSsh
        | StepKind::Update
        | StepKind::VerifyVersion
        | StepKind::Configure
        | StepKind::Seal
        | StepKind::MakeTemplate => workshop::step(&task, reference, appliance, preparation, made),
        _ => step(&task, reference, appliance.as_ref(), template, &endpoints, &probes),
    };
    Assign {
        task: Some(task_ref(key)),
        input: Some(pb::StepInput { step: Some(step) }),
        provider: Some(access(provider)),
        deadline: Some(self::duration(deadline)),
    }
}

fn step(
    task: &Task,
    appliance: Option<pb::ApplianceRef>,
    whole: Option<&Appliance>,
    template: Option<String>,
    endpoints: &[group::EndpointSpec],
    probes: &[group::Probe],
) -> Step {
    let specs = || endpoints.iter().map(endpoint_spec).collect();
    match task.step {
        StepKind::Clone => Step::Clone(pb::CloneStep {
            appliance,
            template: whole.map(|a| a.template.clone()).unwrap_or_default(),
            memory_mib: whole.and_then(|a| a.memory_mib),
            cpus: whole.and_then(|a| a.cpus),
            endpoints: specs(),
        }),
        StepKind::WaitPresent => Step::WaitPresent(pb::WaitPresentStep { appliance }),
        StepKind::Tag => Step::Tag(pb::TagStep { appliance }),
        StepKind::Start => Step::Start(pb::StartStep { appliance }),
        StepKind::WaitAddress => Step::WaitAddress(pb::WaitAddressStep { appliance, endpoints: specs() }),
        StepKind::WaitReady => Step::WaitReady(pb::WaitReadyStep {
            appliance,
            endpoints: whole.map(|a| a.endpoints.iter().map(endpoint).collect()).unwrap_or_default(),
            probes: probes.iter().map(probe).collect(),
        }),
        StepKind::Stop => Step::Stop(pb::StopStep {
            appliance,
            prove: matches!(task.workflow, WorkflowKind::Stop | WorkflowKind::Prepare | WorkflowKind::StopMachine),
        }),
        StepKind::Delete => Step::Delete(pb::DeleteStep { appliance }),
        StepKind::WaitGone => {
            let clone_unconfirmed = whole.is_some_and(|a| a.clone_unconfirmed);
            Step::WaitGone(pb::WaitGoneStep { appliance, clone_unconfirmed })
        }
        StepKind::CheckProvider => Step::CheckProvider(pb::CheckProviderStep {}),
        StepKind::Ping => Step::Ping(pb::PingStep {}),
        StepKind::Suspend => Step::Suspend(pb::SuspendStep { appliance }),
        StepKind::Resume => Step::Resume(pb::ResumeStep { appliance }),
        StepKind::Reboot => Step::Reboot(pb::RebootStep { appliance }),
        StepKind::Rename => Step::Rename(pb::RenameStep { appliance }),
        StepKind::AttachDisk => {
            let size_mib = whole.and_then(|a| a.wanted_disk_mib).unwrap_or_default();
            Step::AttachDisk(pb::AttachDiskStep { appliance, size_mib })
        }
        StepKind::DetachDisk => Step::DetachDisk(pb::DetachDiskStep { appliance }),
        StepKind::DeleteTemplate => {
            Step::DeleteTemplate(pb::DeleteTemplateStep { template: template.unwrap_or_default() })
        }
        // Made by the caller, who knows more.
        StepKind::WaitSsh => Step::WaitSsh(pb::WaitSshStep::default()),
        StepKind::VerifyVersion => Step::VerifyVersion(pb::VerifyVersionStep::default()),
        StepKind::Configure => Step::Configure(pb::ConfigureStep::default()),
        StepKind::Seal => Step::Seal(pb::SealStep::default()),
        StepKind::MakeTemplate => Step::MakeTemplate(pb::MakeTemplateStep::default()),
        StepKind::Update => Step::Update(pb::UpdateStep::default()),
        StepKind::ListMachines => Step::ListMachines(pb::ListMachinesStep::default()),
        StepKind::DeleteMachines | StepKind::DeleteMachine => Step::DeleteMachines(pb::DeleteMachinesStep::default()),
    }
}

fn endpoint_spec(spec: &group::EndpointSpec) -> group_pb::EndpointSpec {
    group_pb::EndpointSpec {
        name: spec.name.clone(),
        port: spec.port.into(),
        scheme: spec.scheme.clone().unwrap_or_default(),
    }
}

fn endpoint(endpoint: &Endpoint) -> appliance_pb::Endpoint {
    appliance_pb::Endpoint {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port.into(),
        url: endpoint.url.clone(),
    }
}

fn probe(probe: &group::Probe) -> group_pb::Probe {
    let check = match probe.check.clone() {
        ProbeCheck::Http { tls, path, statuses, body_contains } => {
            let statuses = statuses.into_iter().map(u32::from).collect();
            group_pb::probe::Check::Http(group_pb::HttpProbe { tls, path, statuses, body_contains })
        }
        ProbeCheck::Tcp => group_pb::probe::Check::Tcp(group_pb::TcpProbe {}),
        ProbeCheck::Ssh => group_pb::probe::Check::Ssh(group_pb::SshProbe {}),
    };
    group_pb::Probe {
        endpoint: probe.endpoint.clone(),
        deadline: Some(duration(probe.deadline)),
        timeout: Some(duration(probe.timeout)),
        check: Some(check),
    }
}

fn access(provider: ProviderSpec) -> ProviderAccess {
    let settings = match provider.settings {
        ProviderSettings::Container { socket, publish_address, memory_mib, cpus } => {
            Settings::Container(ContainerSettings { socket, publish_address, memory_mib, cpus })
        }
        ProviderSettings::Libvirt { uri, storage_pool, network, domain_type, memory_mib, cpus } => {
            let domain_type = domain_type.unwrap_or_default();
            Settings::Libvirt(LibvirtSettings { uri, storage_pool, network, domain_type, memory_mib, cpus })
        }
        ProviderSettings::External { simulated: _, endpoint, token, ca_pem, memory_mib, cpus } => {
            let token = token.expose().to_owned();
            Settings::External(ExternalSettings { endpoint, token, ca_pem, memory_mib, cpus })
        }
    };
    ProviderAccess { key: provider.key.0, settings: Some(settings) }
}

/// Text as the database takes it: what a provider says may be anything, and must not keep the result that it is a part of from being written down.
fn text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// What a worker reports. A result that makes no sense is a failure of the step, not of the session.
pub(crate) fn outcome(result: Option<done::Result>) -> Outcome {
    let nonsense = |what: &str| StepError {
        reason: StepErrorReason::ProviderError,
        message: format!("the worker reported {what}; is it of a compatible version?"),
    };
    match result {
        Some(done::Result::Output(output)) => match output.output {
            Some(Output::Empty(_)) => Ok(StepOutput::Empty),
            Some(Output::Observed(seen)) => observed(seen).ok_or_else(|| nonsense("an endpoint that cannot be")),
            Some(Output::CheckProvider(seen)) => {
                let capabilities = seen.capabilities().filter_map(capability).collect();
                let templates = seen.templates.into_iter().map(text).collect();
                let totals = Totals { memory_mib: seen.memory_mib, cpus: seen.cpus };
                Ok(StepOutput::Provider { version: text(seen.version), templates, capabilities, totals })
            }
            Some(Output::WaitSsh(seen)) => Ok(StepOutput::HostKey(text(seen.host_key))),
            Some(Output::VerifyVersion(seen)) => Ok(StepOutput::Version(text(seen.version))),
            Some(Output::ListMachines(listed)) => {
                machine::listing(listed).ok_or_else(|| nonsense("a machine that cannot be"))
            }
            Some(Output::DeleteMachines(deleted)) => Ok(machine::deleted(deleted)),
            None => Err(nonsense("an output this server does not know")),
        },
        Some(done::Result::Error(error)) => {
            let reason = reason(error.reason());
            Err(StepError { reason, message: text(error.message) })
        }
        None => Err(nonsense("the end of a step without its result")),
    }
}

fn power(power: appliance_pb::PowerState) -> PowerState {
    match power {
        appliance_pb::PowerState::Unspecified => PowerState::Unknown,
        appliance_pb::PowerState::On => PowerState::On,
        appliance_pb::PowerState::Off => PowerState::Off,
        appliance_pb::PowerState::Suspended => PowerState::Suspended,
        appliance_pb::PowerState::Changing => PowerState::Changing,
        appliance_pb::PowerState::Absent => PowerState::Absent,
    }
}

fn observed(seen: pb::ObservedOutput) -> Option<StepOutput> {
    let power = power(seen.power_state());
    let endpoint = |e: appliance_pb::Endpoint| {
        let port = u16::try_from(e.port).ok()?;
        Some(Endpoint { name: text(e.name), host: text(e.host), port, url: e.url.map(text) })
    };
    let endpoints = seen.endpoints.into_iter().map(endpoint).collect::<Option<_>>()?;
    let (provider_ref, address) = (text(seen.provider_ref), seen.address.map(text));
    let console_url = seen.console_url.map(text);
    Some(StepOutput::Observed { provider_ref, power, address, endpoints, console_url })
}

/// None: one that this server does not know.
fn capability(capability: pb::Capability) -> Option<Capability> {
    Some(match capability {
        pb::Capability::Unspecified => return None,
        pb::Capability::Power => Capability::Power,
        pb::Capability::Suspend => Capability::Suspend,
        pb::Capability::Rename => Capability::Rename,
        pb::Capability::RenameOff => Capability::RenameOff,
        pb::Capability::Disk => Capability::Disk,
        pb::Capability::Snapshot => Capability::Snapshot,
        pb::Capability::Resize => Capability::Resize,
        pb::Capability::ResizeOff => Capability::ResizeOff,
        pb::Capability::MakeTemplate => Capability::MakeTemplate,
    })
}

fn reason(reason: pb::StepErrorReason) -> StepErrorReason {
    match reason {
        pb::StepErrorReason::Unspecified | pb::StepErrorReason::ProviderError => StepErrorReason::ProviderError,
        pb::StepErrorReason::Unreachable => StepErrorReason::Unreachable,
        pb::StepErrorReason::AccessDenied => StepErrorReason::AccessDenied,
        pb::StepErrorReason::TemplateNotFound => StepErrorReason::TemplateNotFound,
        pb::StepErrorReason::ApplianceNotFound => StepErrorReason::ApplianceNotFound,
        pb::StepErrorReason::NameTaken => StepErrorReason::NameTaken,
        pb::StepErrorReason::NoCapacity => StepErrorReason::NoCapacity,
        pb::StepErrorReason::Unsupported => StepErrorReason::Unsupported,
        pb::StepErrorReason::Invalid => StepErrorReason::Invalid,
        pb::StepErrorReason::Deadline => StepErrorReason::Deadline,
        pb::StepErrorReason::Cancelled => StepErrorReason::Cancelled,
        pb::StepErrorReason::ApplianceBroken => StepErrorReason::ApplianceBroken,
    }
}

/// One line of a log, with its ids: `TIME LEVEL step task=N worker=W: text`.
pub(crate) fn log_line(log: &Log, step: StepKind, worker: &WorkerId) -> String {
    let at = log
        .at
        .and_then(|at| DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?))
        .unwrap_or_else(Utc::now);
    let level = match log.level() {
        LogLevel::Debug => "DEBUG",
        LogLevel::Unspecified | LogLevel::Info => "INFO",
        LogLevel::Warn => "WARN",
        LogLevel::Error => "ERROR",
    };
    let task = log.task.as_ref().map_or(TaskId(0), |task| key(task).id);
    let text: String = log.line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(4000).collect();
    step_line(at, level, step, task, worker, &text)
}

/// A line of the server's own.
pub(crate) fn server_line(step: StepKind, task: TaskId, worker: &WorkerId, text: &str) -> String {
    step_line(Utc::now(), "INFO", step, task, worker, text)
}
