//! `sproutctl checkout`: appliances for as long as a command runs, or until Ctrl-C.

mod merge;
mod populate;
mod program;
mod signals;

use std::{future::pending, time::Duration};

use sprout_client::{
    Checkout, ClientError, Connection, Lease, Reason,
    pool::{PoolError, new_request_id},
    proto::{appliance::ApplianceState, pool::RequestPoolRequest},
};
use tokio::time::sleep;

use self::{
    populate::Populated,
    program::{Ended, tell_lease},
    signals::{Caught, Signals},
};
use super::pool::{missed, request, show};
use crate::{
    args::checkout::Checkout as Args,
    context::Context,
    failure::Failure,
    output::{appliance::ApplianceView, pool::PoolView, progress::Progress, time},
};

pub(crate) async fn run(context: &Context<'_>, args: Args) -> Result<(), Failure> {
    if args.filters.count == 0 {
        return Err(Failure::Usage {
            message: "no appliances are nothing to check out".to_owned(),
            hint: "ask for one at least, with --count".to_owned(),
        });
    }
    let mut signals = Signals::listen()?;
    // What is wrong with the file is said before anything is requested.
    let mut file = args.populate_yaml.as_deref().map(|path| Populated::prepare(context.out, path)).transpose()?;
    let connection = context.connect()?;
    let wanted = request::request(args.filters, &new_request_id(), Some(args.keep_alive));
    let mut checkout = requested(context, &connection, wanted, &mut signals).await?;
    checkout = ready(context, checkout, &mut signals, args.timeout).await?;
    let mut appliances: Vec<_> = checkout.appliances().iter().cloned().map(ApplianceView::from).collect();
    appliances.sort_by_key(|appliance| appliance.id);

    let populated = file.as_mut().map_or(Ok(()), |file| file.write(&appliances));
    let ended = match populated {
        Err(failure) => Err(failure),
        Ok(()) if args.command.is_empty() => {
            stay(context, &mut checkout, &mut signals, &appliances).await.map(|()| None)
        }
        Ok(()) => {
            let run = program::run(context, &mut checkout, &mut signals, &args.command, &appliances);
            run.await.map(Some)
        }
    };
    // As it was, before anything that may take its time.
    drop(file);
    match (&ended, args.hold_on_failure) {
        // Who ends a command does not want to look into its failure.
        (Ok(Some(Ended { code: 1.., told: None })), Some(time)) => hold(context, checkout, &appliances, time).await,
        _ => end(context, checkout, &mut signals).await,
    }
    match ended? {
        None | Some(Ended { code: 0, .. }) => Ok(()),
        Some(Ended { code, .. }) => Err(Failure::Program(code)),
    }
}

/// Sends the request. One that was sent is not left behind: a signal waits for the answer, to end what was requested.
async fn requested(
    context: &Context<'_>,
    connection: &Connection,
    wanted: RequestPoolRequest,
    signals: &mut Signals,
) -> Result<Checkout, Failure> {
    let keep_alive = time::seconds(wanted.keep_alive).unwrap_or_default().try_into().unwrap_or_default();
    let sending = Checkout::request(connection, wanted);
    tokio::pin!(sending);
    let caught = tokio::select! {
        checkout = &mut sending => {
            let checkout = checkout?;
            let pool = PoolView::from(checkout.pool().clone());
            request::tell_requested(context, &pool, checkout.is_repeated());
            return Ok(checkout);
        }
        caught = signals.next() => caught,
    };
    context.out.note("interrupted; ending the request as soon as the server has answered it, once more leaves it");
    let checkout = tokio::select! {
        checkout = sending => checkout?,
        _ = signals.next() => return Err(Failure::Stopped {
            code: caught.exit_code(),
            message: "interrupted; the server may have the request already".to_owned(),
            hint: format!(
                "then it is dropped in {}, unless it is ready by then; `sproutctl pool list` shows it",
                time::rough(keep_alive)
            ),
        }),
    };
    Err(stopped(context, checkout, signals, caught).await)
}

/// What waiting came to.
enum Waited {
    Ended(Result<(), PoolError>),
    Late,
    Caught(Caught),
}

/// Waits until the appliances are ready. If they do not get so, the request is ended.
async fn ready(
    context: &Context<'_>,
    mut checkout: Checkout,
    signals: &mut Signals,
    timeout: Option<Duration>,
) -> Result<Checkout, Failure> {
    let mut progress = Progress::new(context.out, true);
    let waited = tokio::select! {
        ended = checkout.ready(|watched| show(&mut progress, watched)) => Waited::Ended(ended),
        () = expired(timeout) => Waited::Late,
        caught = signals.next() => Waited::Caught(caught),
    };
    progress.finish();
    let id = checkout.pool().id;
    match waited {
        Waited::Ended(Ok(())) => Ok(checkout),
        Waited::Ended(Err(error)) => {
            tell_failures(context, &error);
            if matches!(error, PoolError::Client(_)) {
                end(context, checkout, signals).await;
            }
            Err(missed(error))
        }
        Waited::Late => {
            end(context, checkout, signals).await;
            Err(Failure::TimedOut {
                message: format!("pool {id} is not ready yet; waiting timed out"),
                hint: "wait longer with --timeout; `sproutctl pool why ID` says why a pool waits".to_owned(),
            })
        }
        Waited::Caught(caught) => Err(stopped(context, checkout, signals, caught).await),
    }
}

async fn expired(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => sleep(timeout).await,
        None => pending().await,
    }
}

/// Which appliances failed, and why, as far as the pool tells.
fn tell_failures(context: &Context<'_>, error: &PoolError) {
    let PoolError::Missed { pool, .. } = error else { return };
    for appliance in pool.appliances.iter().filter(|appliance| appliance.state() == ApplianceState::Failed) {
        context.out.note(&format!("{} on {} failed: {}", appliance.name, appliance.provider, appliance.status));
    }
}

/// Ends what a signal has ended.
async fn stopped(context: &Context<'_>, checkout: Checkout, signals: &mut Signals, caught: Caught) -> Failure {
    let id = checkout.pool().id;
    context.out.note(&format!("interrupted; ending pool {id}, once more leaves it"));
    let code = caught.exit_code();
    match give_back(context, checkout, signals, 0).await {
        None => Failure::Stopped { code, message: format!("interrupted; pool {id} is ended"), hint: String::new() },
        Some(left) => Failure::Stopped { code, message: format!("interrupted; {}", left.why), hint: left.hint },
    }
}

/// Prints the appliances, and stays until a signal.
async fn stay(
    context: &Context<'_>,
    checkout: &mut Checkout,
    signals: &mut Signals,
    appliances: &[ApplianceView],
) -> Result<(), Failure> {
    let id = checkout.pool().id;
    context.out.list(appliances)?;
    context.out.note("they are yours until Ctrl-C, which gives them back");
    loop {
        tokio::select! {
            _ = signals.next() => return Ok(()),
            lease = checkout.lease_changed() => match lease {
                Lease::Over { why } => return Err(Failure::Outcome {
                    message: format!("pool {id} is over: {why}"),
                    hint: format!("`sproutctl pool events {id}` shows what happened to it"),
                }),
                lease => tell_lease(context, id, &lease),
            },
        }
    }
}

/// What could not be given back.
struct Left {
    why: String,
    hint: String,
}

impl Left {
    fn new(id: u64, why: String) -> Self {
        let hint = format!("it ends by itself when its lease does; `sproutctl pool kill {id}` ends it now");
        Self { why, hint }
    }
}

/// Gives the appliances back, and says if that did not work.
async fn end(context: &Context<'_>, checkout: Checkout, signals: &mut Signals) {
    if let Some(Left { why, hint }) = give_back(context, checkout, signals, 1).await {
        context.out.note(&format!("{why}; {hint}"));
    }
}

/// Gives the appliances back; more than so many signals leave them instead.
async fn give_back(context: &Context<'_>, checkout: Checkout, signals: &mut Signals, mut patience: u8) -> Option<Left> {
    let id = checkout.pool().id;
    let release = checkout.release();
    tokio::pin!(release);
    loop {
        let released: Result<_, ClientError> = tokio::select! {
            released = &mut release => released,
            _ = signals.next() => match patience.checked_sub(1) {
                None => return Some(Left::new(id, format!("pool {id} may be left"))),
                Some(less) => {
                    patience = less;
                    context.out.note(&format!("giving pool {id} back; once more leaves it"));
                    continue;
                }
            },
        };
        return match released {
            Ok(_) => None,
            Err(error) if error.kind() == Some(Reason::PoolNotFound) => None,
            Err(error) => Some(Left::new(id, format!("pool {id} could not be given back ({error})"))),
        };
    }
}

/// Keeps the appliances of a command that failed, and says how to reach them.
async fn hold(context: &Context<'_>, checkout: Checkout, appliances: &[ApplianceView], time: Duration) {
    let id = checkout.pool().id;
    let out = context.out;
    match checkout.hold("a command of `sproutctl checkout` failed", time).await {
        Err(error) => {
            out.note(&format!(
                "the appliances of pool {id} cannot be held ({error}); they are there until their lease ends"
            ));
        }
        Ok(_) => out.note(&format!("the command failed; its appliances are held for {}:", time::rough(time.as_secs()))),
    }
    for appliance in appliances {
        let reach = if appliance.url.is_empty() { appliance.address.as_deref().unwrap_or("-") } else { &appliance.url };
        out.note(&format!("  {} {} {reach}", appliance.id, appliance.name));
    }
    out.note(&format!(
        "give them back with `sproutctl pool kill {id}`; keep one longer with `sproutctl appliance hold ID --reason WHY --for TIME`"
    ));
}
