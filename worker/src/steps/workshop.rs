//! Does what is to be done inside of an appliance: runs scripts, writes files, makes requests, in order.
//!
//! May be repeated, from the beginning: what scripts do twice is theirs to see to. What a script says is logged as it says it, and a limit of time and one of
//! silence end what hangs.

use std::{collections::HashMap, fmt};

use reqwest::{Client, Method, Url, redirect::Policy};
use sprout_proto::{
    appliance::Endpoint,
    task::{Action, ApplianceRef, HttpCall, Script, SshAccess, Upload, Workshop, action::Action as Deed},
};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};

use super::{StepContext, invalid, named};
use crate::{
    driver::{DriverError, Reason, Result},
    ssh::{self, Bounds, Ended, Line, Session, Trouble},
};

/// What takes no limit along has this one.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// Between two tries to sign in.
const PAUSE: Duration = Duration::from_millis(500);
/// The server hears this often that a step goes on.
const PULSE: Duration = Duration::from_secs(5);
/// Of one action so many lines are logged.
const LINES: u32 = 10_000;
/// Of an answer this much is logged.
const ANSWER: usize = 4_000;

/// Does all of it; returns the last line of output of the last script.
pub(super) async fn run(ctx: &StepContext, workshop: Option<&Workshop>) -> Result<String> {
    let workshop =
        workshop.ok_or_else(|| invalid("the step says nothing to do; this is a mistake of the server, report it"))?;
    let appliance = workshop.appliance.as_ref();
    named(appliance)?;
    let mut door = Door { access: workshop.ssh.as_ref(), endpoints: &workshop.endpoints, session: None };
    let (count, mut last) = (workshop.actions.len(), String::new());
    for (n, action) in workshop.actions.iter().enumerate() {
        let what = name(action);
        let place = format!("{} of {count}: {what}", n + 1);
        ctx.info(place.clone());
        // It may have been given to another worker.
        ctx.change().await?;
        let begun = Instant::now();
        let doing = one(ctx, &mut door, action, &workshop.environment, appliance);
        last = alive(ctx, n * 100 / count, &place, doing).await?;
        ctx.info(format!("{what} is done after {:.1} s", begun.elapsed().as_secs_f64()));
    }
    if let Some(session) = door.session {
        session.close().await;
    }
    Ok(last)
}

/// Says now and then that it goes on.
async fn alive<T>(ctx: &StepContext, percent: usize, place: &str, doing: impl Future<Output = T>) -> T {
    let percent = u32::try_from(percent).ok();
    let mut doing = std::pin::pin!(doing);
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            done = &mut doing => return done,
            _ = pulse.tick() => ctx.status(percent, place),
        }
    }
}

async fn one(
    ctx: &StepContext,
    door: &mut Door<'_>,
    action: &Action,
    environment: &HashMap<String, String>,
    appliance: Option<&ApplianceRef>,
) -> Result<String> {
    let length = |value: Option<prost_types::Duration>| value.and_then(|length| Duration::try_from(length).ok());
    let limit = length(action.limit).filter(|limit| !limit.is_zero()).unwrap_or(LIMIT);
    let bounds = Bounds { until: Instant::now() + limit, silence: length(action.silence) };
    let what = name(action);
    let mut said = Said { ctx, left: LINES, last: String::new(), output: String::new() };
    let ended = match &action.action {
        Some(Deed::Script(script)) => {
            let key = appliance.and_then(|appliance| appliance.tags.as_ref()).map_or(0, |tags| tags.appliance_id);
            let session = door.open(ctx, bounds.until).await?;
            ssh::run_script(session, key, script, environment, bounds, |line| said.line(line)).await
        }
        Some(Deed::Upload(upload)) => {
            let session = door.open(ctx, bounds.until).await?;
            ssh::write_file(session, upload, bounds, |line| said.line(line)).await
        }
        Some(Deed::Http(call)) => return request(ctx, call, door.endpoints, limit).await.map(|()| String::new()),
        None => return Err(invalid("an action is of a kind this worker does not know; update the worker")),
    };
    let broken = |how: String| {
        let last =
            if said.last.is_empty() { "it said nothing".to_owned() } else { format!("its last words: {}", said.last) };
        Err(DriverError::new(Reason::ApplianceBroken, format!("{what} {how}; {last}")))
    };
    let late = |how: String| Err(DriverError::new(Reason::Deadline, format!("{what} {how}")));
    match ended.map_err(Trouble::into_error)? {
        Ended::Status(0) => Ok(said.output),
        Ended::Status(status) => broken(format!("ended with status {status}")),
        Ended::Signal(signal) => broken(format!("was ended by the signal {signal}")),
        Ended::Late => late(format!("was not done within {limit:?}; raise its `limit`, or look why it takes so long")),
        Ended::Silent => {
            let silence = bounds.silence.unwrap_or_default();
            late(format!("said nothing for {silence:?}; raise its `silence`, or look why it hangs"))
        }
    }
}

/// What was said, logged as far as that is worth it.
struct Said<'a> {
    ctx: &'a StepContext,
    left: u32,
    /// The last line of all.
    last: String,
    /// The last line of output.
    output: String,
}

impl Said<'_> {
    fn line(&mut self, line: Line<'_>) {
        let (Line::Output(text) | Line::Beside(text)) = line;
        text.clone_into(&mut self.last);
        if matches!(line, Line::Output(_)) {
            text.clone_into(&mut self.output);
        }
        match self.left {
            0 => return,
            1 => self.ctx.warn(format!("it has said {LINES} lines; the rest is not logged")),
            _ => self.ctx.info(format!("  {text}")),
        }
        self.left -= 1;
    }
}

/// The way in, opened when it is needed, and again where it was closed: scripts may restart what is inside.
struct Door<'a> {
    access: Option<&'a SshAccess>,
    endpoints: &'a [Endpoint],
    session: Option<Session>,
}

impl Door<'_> {
    async fn open(&mut self, ctx: &StepContext, until: Instant) -> Result<&Session> {
        if self.session.as_ref().is_none_or(Session::is_closed) {
            self.session = Some(self.sign_in(ctx, until).await?);
        }
        self.session.as_ref().ok_or_else(|| invalid("there is no connection"))
    }

    /// A server that is not up yet is waited for as long as the action has time.
    async fn sign_in(&self, ctx: &StepContext, until: Instant) -> Result<Session> {
        let Some(access) = self.access else {
            return Err(invalid(
                "something is to be done over SSH, and nobody says how to sign in; this is a mistake of the server, report it",
            ));
        };
        let endpoint = endpoint(self.endpoints, &access.endpoint)?;
        let mut last = None;
        let signing_in = async {
            loop {
                match ssh::sign_in(access, endpoint).await {
                    Err(trouble @ (Trouble::NoConnection(_) | Trouble::Lost(_))) => {
                        let error = trouble.into_error();
                        ctx.status(None, error.message.clone());
                        last = Some(error);
                    }
                    signed_in => return signed_in.map_err(Trouble::into_error),
                }
                sleep(PAUSE).await;
            }
        };
        match timeout_at(until, signing_in).await {
            Ok(signed_in) => signed_in,
            Err(_) => Err(last.unwrap_or_else(|| {
                DriverError::new(
                    Reason::Unreachable,
                    format!("the SSH server of {} did not answer in time", access.endpoint),
                )
            })),
        }
    }
}

fn endpoint<'a>(endpoints: &'a [Endpoint], name: &str) -> Result<&'a Endpoint> {
    endpoints.iter().find(|endpoint| endpoint.name == name).ok_or_else(|| {
        invalid(format!("the appliance has no endpoint {name}; add it to the endpoints of the group, with its port"))
    })
}

async fn request(ctx: &StepContext, call: &HttpCall, endpoints: &[Endpoint], limit: Duration) -> Result<()> {
    let Endpoint { host, port, .. } = endpoint(endpoints, &call.endpoint)?;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let scheme = if call.tls { "https" } else { "http" };
    let url = format!("{scheme}://{host}:{port}{}", call.path);
    let url = Url::parse(&url).map_err(|error| invalid(format!("{url} is no URL: {error}")))?;
    let method =
        Method::from_bytes(call.method.as_bytes()).map_err(|_| invalid(format!("{} is no method", call.method)))?;
    // An error means that the process has chosen one already, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(Policy::none()).danger_accept_invalid_certs(true).no_proxy().timeout(limit);
    let failed = |error: reqwest::Error| {
        let reason = if error.is_timeout() { Reason::Deadline } else { Reason::Unreachable };
        DriverError::new(reason, format!("{} {} failed: {}", call.method, call.path, innermost(&error)))
    };
    let mut request = client.build().map_err(failed)?.request(method, url).body(call.body.clone());
    if !call.content_type.is_empty() {
        request = request.header("content-type", &call.content_type);
    }
    if !call.username.is_empty() {
        request = request.basic_auth(&call.username, Some(&call.password));
    }
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < ANSWER {
        match timeout(limit, response.chunk()).await {
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
            _ => break,
        }
    }
    body.truncate(ANSWER);
    let body = String::from_utf8_lossy(&body);
    ctx.info(format!("  status {status}: {}", body.trim()));
    let fine = if call.statuses.is_empty() {
        (200..300).contains(&status)
    } else {
        call.statuses.contains(&u32::from(status))
    };
    if fine {
        return Ok(());
    }
    let message = format!("{} {} was answered with status {status}: {}", call.method, call.path, body.trim());
    // What is starting answers so, and may answer otherwise soon.
    let reason = if matches!(status, 502..=504) { Reason::ProviderError } else { Reason::ApplianceBroken };
    Err(DriverError::new(reason, message.chars().take(1_000).collect::<String>()))
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> impl fmt::Display {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn name(action: &Action) -> String {
    match &action.action {
        Some(Deed::Script(Script { name, .. })) => format!("the script `{name}`"),
        Some(Deed::Upload(Upload { name, path, .. })) => format!("the upload of {name} to {path}"),
        Some(Deed::Http(HttpCall { method, path, .. })) => format!("the request {method} {path}"),
        None => "an action".to_owned(),
    }
}
