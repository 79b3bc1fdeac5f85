//! Between the protocol and the provider.

use std::collections::HashMap;

use sprout_proto::{
    appliance::PowerState,
    provider::{Ability, Capabilities, Instance, PublishedPort},
    sim as pb, task,
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::core::{Capability, Change, Config, Entry, Fault, FaultKind, Operation, Power, Refused, Tags, View};

/// Whose reasons these are.
const DOMAIN: &str = "sprout.provider.v1";
/// How long a fault lasts that does not say so.
const FOR_MS: u64 = 1000;

pub(super) fn tags(tags: Option<task::Tags>) -> Tags {
    let task::Tags { installation_id, appliance_id, epoch } = tags.unwrap_or_default();
    Tags { installation_id, appliance_id, epoch }
}

fn tags_pb(tags: Tags) -> task::Tags {
    let Tags { installation_id, appliance_id, epoch } = tags;
    task::Tags { installation_id, appliance_id, epoch }
}

pub(super) fn port(port: u32) -> Result<u16, Status> {
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| {
        refused(Refused {
            reason: task::StepErrorReason::Invalid,
            message: format!("{port} is no port; use 1 to 65535"),
        })
    })
}

pub(super) fn instance(view: View) -> Instance {
    let power = match view.power {
        Power::On => PowerState::On,
        Power::Off => PowerState::Off,
        Power::Suspended => PowerState::Suspended,
        Power::Changing => PowerState::Changing,
    };
    let address = view.address.map(|address| address.to_string());
    let published = view.published.into_iter().map(|(port, host_port)| PublishedPort {
        port: port.into(),
        host: address.clone().unwrap_or_default(),
        host_port: host_port.into(),
    });
    Instance {
        published: published.collect(),
        name: view.name,
        provider_ref: format!("sim-{}", view.id),
        power_state: power.into(),
        tags: view.tags.map(tags_pb),
        address,
        memory_mib: Some(view.memory_mib),
        cpus: Some(view.cpus),
        console_url: (view.power == Power::On).then(|| console(view.id)),
    }
}

/// Where the screen of an instance could be seen, if there was one.
fn console(id: u64) -> String {
    format!("vnc://127.0.0.1:{}", 5900 + id % 10_000)
}

pub(super) fn capabilities(config: &Config) -> Capabilities {
    let ability = |capability| if config.can(capability) { Ability::Any } else { Ability::Unspecified };
    Capabilities {
        retag: config.can(Capability::Retag),
        suspend: config.can(Capability::Suspend),
        snapshot: config.can(Capability::Snapshot),
        disk: config.can(Capability::Disk),
        rename: ability(Capability::Rename).into(),
        resize: ability(Capability::Resize).into(),
        make_template: ability(Capability::MakeTemplate).into(),
    }
}

/// With the reason for programs, and the code that fits it.
pub(super) fn refused(refused: Refused) -> Status {
    use task::StepErrorReason as Reason;
    let code = match refused.reason {
        Reason::Unreachable | Reason::Deadline | Reason::Cancelled => Code::Unavailable,
        Reason::AccessDenied => Code::PermissionDenied,
        Reason::TemplateNotFound | Reason::ApplianceNotFound => Code::NotFound,
        Reason::NameTaken => Code::AlreadyExists,
        Reason::NoCapacity => Code::ResourceExhausted,
        Reason::Unsupported => Code::Unimplemented,
        Reason::Invalid => Code::FailedPrecondition,
        Reason::Unspecified | Reason::ProviderError | Reason::ApplianceBroken => Code::Internal,
    };
    let name = refused.reason.as_str_name().trim_start_matches("STEP_ERROR_REASON_");
    Status::with_error_details(code, refused.message, ErrorDetails::with_error_info(name, DOMAIN, HashMap::new()))
}

/// The name of a kind of call in the configuration.
fn operation_name(operation: Operation) -> String {
    match serde_json::to_value(operation) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

const KINDS: [(FaultKind, pb::FaultKind); 11] = [
    (FaultKind::Error, pb::FaultKind::Error),
    (FaultKind::NoAnswer, pb::FaultKind::NoAnswer),
    (FaultKind::Disconnect, pb::FaultKind::Disconnect),
    (FaultKind::Slow, pb::FaultKind::Slow),
    (FaultKind::Late, pb::FaultKind::Late),
    (FaultKind::Lost, pb::FaultKind::Lost),
    (FaultKind::Crash, pb::FaultKind::Crash),
    (FaultKind::NoBoot, pb::FaultKind::NoBoot),
    (FaultKind::NoAddress, pb::FaultKind::NoAddress),
    (FaultKind::Stale, pb::FaultKind::Stale),
    (FaultKind::NameClash, pb::FaultKind::NameClash),
];

fn kind_pb(kind: FaultKind) -> pb::FaultKind {
    KINDS.iter().find(|(ours, _)| *ours == kind).map_or(pb::FaultKind::Unspecified, |(_, theirs)| *theirs)
}

pub(super) fn fault(fault: pb::Fault) -> Result<Fault, Status> {
    let kind = KINDS.iter().find(|(_, theirs)| *theirs == fault.kind()).map(|(ours, _)| *ours);
    let kind = kind.ok_or_else(|| Status::invalid_argument("a fault has no kind that is known; name one"))?;
    let reason = match fault.reason() {
        task::StepErrorReason::Unspecified => task::StepErrorReason::ProviderError,
        reason => reason,
    };
    let operation = |name: String| {
        serde_json::from_value(serde_json::Value::String(name))
            .map_err(|error| Status::invalid_argument(format!("an operation is not known: {error}")))
    };
    Ok(Fault {
        kind,
        probability: fault.probability,
        operations: fault.operations.into_iter().map(operation).collect::<Result<_, _>>()?,
        name_prefix: fault.name_prefix,
        times: fault.times,
        for_ms: if fault.for_ms == 0 { FOR_MS } else { fault.for_ms },
        reason,
        happened: 0,
    })
}

pub(super) fn fault_pb(fault: &Fault) -> pb::Fault {
    pb::Fault {
        kind: kind_pb(fault.kind).into(),
        probability: fault.probability,
        operations: fault.operations.iter().map(|operation| operation_name(*operation)).collect(),
        name_prefix: fault.name_prefix.clone(),
        times: fault.times,
        for_ms: fault.for_ms,
        reason: fault.reason.into(),
        happened: fault.happened,
    }
}

pub(super) fn entry(entry: Entry) -> pb::JournalEntry {
    use pb::JournalKind as Kind;
    let (kind, instance_id, fault) = match &entry.change {
        Change::Creating { vm } => (Kind::Creating, vm.id, None),
        Change::Created { vm } => (Kind::Created, vm.id, None),
        Change::Changed { vm } => (Kind::Changed, vm.id, None),
        Change::Gone { id } => (Kind::Gone, *id, None),
        Change::Template { .. } => (Kind::Template, 0, None),
        Change::TemplateGone { .. } => (Kind::TemplateGone, 0, None),
        Change::Fault { kind, .. } => (Kind::Fault, 0, Some(*kind)),
        Change::FaultsSet { .. } => (Kind::FaultsSet, 0, None),
        Change::Reset { .. } => (Kind::Reset, 0, None),
    };
    pb::JournalEntry {
        number: entry.number,
        at_ms: entry.at,
        operation: entry.operation.map(operation_name).unwrap_or_default(),
        kind: kind.into(),
        name: entry.name,
        instance_id,
        tags: entry.tags.map(tags_pb),
        instances: entry.instances,
        creating: entry.creating,
        fault: fault.map_or(pb::FaultKind::Unspecified, kind_pb).into(),
    }
}
