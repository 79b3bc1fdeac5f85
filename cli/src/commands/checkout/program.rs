//! The program that runs with the appliances: its environment, its signals, its end.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::process::ExitStatusExt as _,
    process::ExitStatus,
};

use sprout_client::{Checkout, Lease};
use tokio::process::{Child, Command};

use super::signals::{Caught, Signals, kill};
use crate::{
    context::Context,
    failure::Failure,
    output::{appliance::ApplianceView, time},
};

/// How it ended.
pub(super) struct Ended {
    /// As a shell would say it.
    pub(super) code: u8,
    /// The signal it was sent by us, if it was.
    pub(super) told: Option<Caught>,
}

/// Runs it to its end. Signals that we get it gets; the third one that it does not end at kills it.
pub(super) async fn run(
    context: &Context<'_>,
    checkout: &mut Checkout,
    signals: &mut Signals,
    command: &[OsString],
    appliances: &[ApplianceView],
) -> Result<Ended, Failure> {
    let mut child = start(command, checkout.pool().id, appliances)?;
    let (mut told, mut count) = (None, 0);
    let status = loop {
        tokio::select! {
            status = child.wait() => {
                break status.map_err(|source| Failure::Io { what: "the command cannot be waited for".to_owned(), source })?;
            }
            caught = signals.next() => {
                told = Some(caught);
                count += u32::from(caught != Caught::HangUp);
                tell(context, &child, caught, count);
            }
            lease = checkout.lease_changed() => tell_lease(context, checkout.pool().id, &lease),
        }
    };
    Ok(Ended { code: exit_code(status), told })
}

fn tell(context: &Context<'_>, child: &Child, caught: Caught, count: u32) {
    // Without an id it has just ended.
    let Some(id) = child.id() else { return };
    let sent = if count < 3 { caught.forward(id) } else { kill(id) };
    match (sent, count) {
        (Err(error), _) => context.out.note(&format!("the signal cannot be passed on: {error}")),
        (Ok(()), 2) => context.out.note("the command still runs; once more kills it"),
        (Ok(()), _) => {}
    }
}

/// Says what becomes of the lease, as far as somebody must know.
pub(super) fn tell_lease(context: &Context<'_>, id: u64, lease: &Lease) {
    match lease {
        Lease::Kept { .. } => {}
        Lease::Failing { error, until } => {
            let until = time::rfc3339(*until).map(|until| format!(", at {until}")).unwrap_or_default();
            context.out.note(&format!(
                "the lease of pool {id} could not be extended ({error}); trying again until it ends{until}"
            ));
        }
        Lease::Over { why } => context.out.note(&format!("pool {id} is over, and its appliances with it: {why}")),
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn start(command: &[OsString], pool: u64, appliances: &[ApplianceView]) -> Result<Child, Failure> {
    let (program, arguments) = command.split_first().ok_or_else(|| Failure::Usage {
        message: "there is no command to run".to_owned(),
        hint: "write it behind --".to_owned(),
    })?;
    let mut command = Command::new(program);
    command.args(arguments);
    // What a checkout around this one has set is not about these appliances.
    for (name, _) in env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command.envs(variables(pool, appliances)?);
    command.spawn().map_err(|error| not_started(program, &error))
}

fn is_ours(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("SPROUT_APPLIANCE_"))
}

fn variables(pool: u64, appliances: &[ApplianceView]) -> Result<Vec<(String, String)>, Failure> {
    let json = serde_json::to_string(appliances).map_err(|error| Failure::Io {
        what: "the appliances cannot be put into the environment".to_owned(),
        source: error.into(),
    })?;
    let mut variables = vec![("SPROUT_POOL_ID".to_owned(), pool.to_string()), ("SPROUT_APPLIANCES".to_owned(), json)];
    for (index, appliance) in appliances.iter().enumerate() {
        let mut add = |name: &str, value: &str| {
            variables.push((format!("SPROUT_APPLIANCE_{index}_{name}"), value.to_owned()));
        };
        add("ADDRESS", appliance.address.as_deref().unwrap_or_default());
        add("URL", &appliance.url);
        add("NAME", &appliance.name);
    }
    Ok(variables)
}

fn not_started(program: &OsStr, error: &io::Error) -> Failure {
    let (code, hint) = match error.kind() {
        io::ErrorKind::NotFound => (127, "check its name, and PATH"),
        io::ErrorKind::PermissionDenied => (126, "is it a program, and may you run it?"),
        io::ErrorKind::ArgumentListTooLong => {
            (126, "the arguments, or what is known of so many appliances, are too long")
        }
        _ => (126, ""),
    };
    let message = format!("{} cannot be run: {error}", program.to_string_lossy());
    Failure::NotStarted { code, message, hint: hint.to_owned() }
}
