//! What is done inside of appliances that are made templates, as workers are told.

use std::collections::HashMap;

use sprout_domain::{
    Secret,
    appliance::Appliance,
    preparation::{Action, Deed, HttpCall, Preparation, SshAccess},
    template::{BuildDate, Template},
    workflow::{StepKind, Task, WorkflowKind},
};
use sprout_proto::task::{self as pb, step_input::Step};

use super::{duration, endpoint};

/// The step of a preparation, with the secrets that it needs and no others.
pub(super) fn step(
    task: &Task,
    reference: Option<pb::ApplianceRef>,
    appliance: Option<Appliance>,
    preparation: Option<Box<Preparation>>,
    made: Option<Template>,
) -> Step {
    let preparation = preparation.map(|boxed| *boxed).unwrap_or_default();
    if task.step == StepKind::MakeTemplate {
        let template = made.map(|template| template.name).unwrap_or_default();
        return Step::MakeTemplate(pb::MakeTemplateStep { appliance: reference, template });
    }
    if task.step == StepKind::WaitSsh {
        let server = |name: &str| appliance.as_ref()?.endpoints.iter().find(|there| there.name == name);
        let seen = ssh_needed(task, &preparation).and_then(|access| server(&access.endpoint)).map(endpoint);
        let host_key = appliance.as_ref().and_then(|appliance| appliance.host_key.clone()).unwrap_or_default();
        return Step::WaitSsh(pb::WaitSshStep { appliance: reference, endpoint: seen, host_key });
    }
    let actions: &[Action] = match task.step {
        StepKind::VerifyVersion => preparation.version.as_slice(),
        StepKind::Configure => &preparation.configure,
        StepKind::Update => &preparation.update,
        _ => &preparation.seal,
    };
    let exposed = |secret: &Option<Secret>| secret.as_ref().map(|s| s.expose().to_owned()).unwrap_or_default();
    let ssh = preparation.ssh.as_ref().filter(|_| actions.iter().any(Action::is_over_ssh));
    let ssh = ssh.map(|access| pb::SshAccess {
        endpoint: access.endpoint.clone(),
        username: access.username.clone(),
        password: exposed(&access.password),
        private_key: exposed(&access.private_key),
        host_key: appliance.as_ref().and_then(|appliance| appliance.host_key.clone()).unwrap_or_default(),
    });
    let workshop = Some(pb::Workshop {
        appliance: reference,
        endpoints: appliance.iter().flat_map(|appliance| &appliance.endpoints).map(endpoint).collect(),
        ssh,
        actions: actions.iter().map(action).collect(),
        environment: environment(appliance.as_ref(), made.as_ref()),
    });
    match task.step {
        StepKind::VerifyVersion => Step::VerifyVersion(pb::VerifyVersionStep { workshop }),
        StepKind::Configure => Step::Configure(pb::ConfigureStep { workshop }),
        StepKind::Update => Step::Update(pb::UpdateStep { workshop }),
        _ => Step::Seal(pb::SealStep { workshop }),
    }
}

/// How to sign in, where anything of what follows is done over SSH.
fn ssh_needed<'a>(task: &Task, preparation: &'a Preparation) -> Option<&'a SshAccess> {
    if task.workflow == WorkflowKind::DeployUpdated {
        return preparation.ssh.as_ref().filter(|_| preparation.update.iter().any(Action::is_over_ssh));
    }
    preparation.ssh_needed()
}

fn action(action: &Action) -> pb::Action {
    let deed = match &action.deed {
        Deed::Script { name, text } => {
            pb::action::Action::Script(pb::Script { name: name.clone(), text: text.to_string() })
        }
        Deed::Upload { name, content, path, mode } => pb::action::Action::Upload(pb::Upload {
            name: name.clone(),
            content: content.to_vec(),
            path: path.clone(),
            mode: *mode,
        }),
        Deed::Http(call) => pb::action::Action::Http(http(call)),
    };
    pb::Action { action: Some(deed), limit: Some(duration(action.limit)), silence: action.silence.map(duration) }
}

fn http(call: &HttpCall) -> pb::HttpCall {
    let (username, password) = match &call.credentials {
        Some((username, password)) => (username.clone(), password.expose().to_owned()),
        None => (String::new(), String::new()),
    };
    pb::HttpCall {
        endpoint: call.endpoint.clone(),
        tls: call.tls,
        method: call.method.clone(),
        path: call.path.clone(),
        body: call.body.clone(),
        content_type: call.content_type.clone(),
        statuses: call.statuses.iter().map(|status| u32::from(*status)).collect(),
        username,
        password,
    }
}

/// What scripts find in their environment.
fn environment(appliance: Option<&Appliance>, made: Option<&Template>) -> HashMap<String, String> {
    let mut all = HashMap::new();
    let mut set = |name: &str, value: &str| {
        all.insert(format!("SPROUT_{name}"), value.to_owned());
    };
    if let Some(Appliance { name, group, provider, template, .. }) = appliance {
        set("APPLIANCE", name);
        set("GROUP", &group.0);
        set("PROVIDER", &provider.0);
        set("FROM_TEMPLATE", template);
    }
    if let Some(Template { name, version, date, build, .. }) = made {
        set("TEMPLATE", name);
        set("VERSION", version.as_str());
        if *date != BuildDate::default() {
            set("DATE", &date.format("%Y%m%d").to_string());
        }
        if !build.is_empty() {
            set("BUILD", build);
        }
    }
    all
}
