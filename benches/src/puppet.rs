//! A worker inside the load generator. It speaks the workers' protocol, does every step in no time and touches no provider; and since it is in the same process
//! as whoever enqueues, it can say on one clock when an assignment arrived.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{
    Connection, Settings,
    proto::{
        appliance::{Endpoint, PowerState},
        task::{
            CheckProviderOutput, EmptyOutput, ObservedOutput, StepInput, StepOutput, step_input::Step,
            step_output::Output,
        },
        worker::{
            Done, Heartbeat, Hello, SessionRequest, done, session_request::Message as Says,
            session_response::Message as Hears,
        },
    },
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};
use tokio_stream::wrappers::UnboundedReceiverStream;

/// More often than any server asks for.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The one template that it finds on the provider.
const TEMPLATE: &str = "bench-1.0";

/// A session that is open until this is dropped.
pub(crate) struct Puppet {
    /// When each ping arrived, as far as it was not taken from here yet.
    pub(crate) pings: UnboundedReceiver<Instant>,
    session: JoinHandle<()>,
    beats: JoinHandle<()>,
}

impl Puppet {
    /// Opens the session; the settings carry the worker's credential.
    pub(crate) async fn connect(settings: Settings) -> Result<Self> {
        let connection = Connection::open(settings)?;
        let (say, said) = unbounded_channel();
        let hello = Hello {
            worker_id: "puppet".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            provider_types: vec!["container".into()],
            slots: 1024,
            ..Hello::default()
        };
        say.send(message(Says::Hello(hello)))?;
        let mut hears = connection.workers().session(UnboundedReceiverStream::new(said)).await?.into_inner();
        let first = hears.message().await?.and_then(|message| message.message);
        ensure!(matches!(first, Some(Hears::Welcome(_))), "the server did not begin with a welcome");
        let (arrived, pings) = unbounded_channel();
        let beats = tokio::spawn(beat(say.clone()));
        let session = tokio::spawn(async move {
            while let Ok(Some(heard)) = hears.message().await {
                let now = Instant::now();
                let Some(Hears::Assign(assign)) = heard.message else { continue };
                let Some(input) = assign.input else { continue };
                if matches!(input.step, Some(Step::Ping(_))) && arrived.send(now).is_err() {
                    return;
                }
                let output = StepOutput { output: Some(output(input)) };
                let done = Done { task: assign.task, result: Some(done::Result::Output(output)) };
                if say.send(message(Says::Done(done))).is_err() {
                    return;
                }
            }
        });
        Ok(Self { pings, session, beats })
    }

    /// When the next ping arrives.
    pub(crate) async fn ping(&mut self) -> Result<Instant> {
        let next = tokio::time::timeout(Duration::from_secs(10), self.pings.recv()).await;
        next.context("no ping came for 10 s")?.context("the session ended")
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.session.abort();
        self.beats.abort();
    }
}

fn message(message: Says) -> SessionRequest {
    SessionRequest { message: Some(message) }
}

async fn beat(say: UnboundedSender<SessionRequest>) {
    let mut number = 0;
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        number += 1;
        if say.send(message(Says::Heartbeat(Heartbeat { number }))).is_err() {
            return;
        }
    }
}

/// What a provider that works at once would have made of the step. Addresses are of the range for documentation (RFC 5737).
fn output(input: StepInput) -> Output {
    let seen = |power: PowerState, address: bool| {
        let (host, url) = ("192.0.2.1".to_owned(), Some("http://192.0.2.1:80".to_owned()));
        let endpoint = Endpoint { name: "web".into(), host: host.clone(), port: 80, url };
        Output::Observed(ObservedOutput {
            provider_ref: "bench".into(),
            power_state: power.into(),
            address: address.then_some(host),
            endpoints: if address { vec![endpoint] } else { Vec::new() },
            console_url: None,
        })
    };
    match input.step {
        Some(Step::CheckProvider(_)) => Output::CheckProvider(CheckProviderOutput {
            version: "puppet".into(),
            templates: vec![TEMPLATE.into()],
            capabilities: Vec::new(),
            ..CheckProviderOutput::default()
        }),
        Some(Step::WaitPresent(_)) => seen(PowerState::Off, false),
        Some(Step::Start(_)) => seen(PowerState::On, false),
        Some(Step::WaitAddress(_)) => seen(PowerState::On, true),
        _ => Output::Empty(EmptyOutput {}),
    }
}
