//! A provider in memory, with the bad habits of real ones: it is slow, loses requests and answers, acts late, shows clones and deletions
//! only after a while, and has machines that never boot or vanish.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sprout_worker::driver::{CloneSpec, DriverError, Instance, PowerState, Reason, Result, Tags};
use tokio::time::{Instant, sleep};

use crate::world::World;

/// How a call goes wrong in an order of a [`Provider`]; for tests that choose, and for storms that draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing is done, and the provider says so.
    Refused(Reason),
    /// The request is lost: nothing is done, and no answer comes.
    LostRequest,
    /// It is done, and no answer comes.
    LostAnswer,
    /// It is done, and the provider says that it failed.
    ActsAndFails,
    /// No answer comes; it is done only some seconds later.
    ActsLate,
    /// It is done at last.
    Slow,
}

/// One simulated provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) key: String,
    world: Arc<World>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    machines: BTreeMap<String, Machine>,
    templates: Vec<String>,
    away_until: Option<Instant>,
    orders: Vec<(String, Mishap)>,
    /// How often each call did something to each machine.
    acts: BTreeMap<(String, &'static str), u32>,
    vanished: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Machine {
    tags: Tags,
    power: PowerState,
    shown_at: Instant,
    address_at: Option<Instant>,
    vanishes_at: Option<Instant>,
    gone_at: Option<Instant>,
    boots: bool,
}

/// Calls that are given up get no answer for this long.
const PATIENCE: Duration = Duration::from_secs(3);

impl Provider {
    pub(crate) fn new(key: &str, templates: &[&str], world: Arc<World>) -> Arc<Self> {
        let templates = templates.iter().map(|&name| name.to_owned()).collect();
        let state = Mutex::new(State { templates, ..State::default() });
        Arc::new(Self { key: key.to_owned(), world, state })
    }

    /// The next call of this name goes wrong like this.
    pub(crate) fn order(&self, call: &str, mishap: Mishap) {
        self.state().orders.push((call.to_owned(), mishap));
    }

    /// Answers nobody for a while.
    pub(crate) fn goes_away(&self, time: Duration) {
        self.world.note(&self.key, format_args!("is away for {time:?}"));
        self.state().away_until = Some(Instant::now() + time);
    }

    /// Names of all that is there or is about to be, and marked as ours.
    pub(crate) fn ours(&self, installation: &str) -> BTreeSet<String> {
        let mut state = self.state();
        state.pass_time();
        let ours = |(name, machine): (&String, &Machine)| {
            (machine.gone_at.is_none() && machine.tags.installation_id == installation).then(|| name.clone())
        };
        state.machines.iter().filter_map(ours).collect()
    }

    /// Whether a machine of this name vanished by itself.
    pub(crate) fn lost(&self, name: &str) -> bool {
        self.state().vanished.contains(name)
    }

    /// How often `call` changed something, over all machines, and the most it did to one of them.
    pub(crate) fn acts(&self, call: &str) -> (u32, u32) {
        let state = self.state();
        let counts: Vec<_> =
            state.acts.iter().filter(|((_, what), _)| *what == call).map(|(_, count)| *count).collect();
        (counts.iter().sum(), counts.iter().max().copied().unwrap_or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: its way there, what it does, its way back, and what goes wrong with it.
    async fn call<T: Send>(
        self: &Arc<Self>,
        call: &'static str,
        name: &str,
        act: impl FnOnce(&mut State, &World) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let world = &self.world;
        sleep(world.some_time(0..40)).await;
        let away = self.state().away_until.filter(|until| *until > Instant::now());
        if away.is_some() {
            sleep(PATIENCE).await;
            return Err(self.silent(call));
        }
        let mishap = self.mishap(call);
        if let Some(mishap) = mishap {
            world.note(&self.key, format_args!("{call} {name}: {mishap:?}"));
        }
        match mishap {
            None => {}
            Some(Mishap::Refused(reason)) => {
                return Err(DriverError::new(reason, format!("{} refuses to {call} {name}", self.key)));
            }
            Some(Mishap::LostRequest) => {
                sleep(PATIENCE).await;
                return Err(self.silent(call));
            }
            Some(Mishap::Slow) => sleep(world.some_time(500..6_000)).await,
            Some(Mishap::LostAnswer) => {
                self.act(call, name, act).ok();
                sleep(PATIENCE).await;
                return Err(self.silent(call));
            }
            Some(Mishap::ActsAndFails) => {
                self.act(call, name, act).ok();
                return Err(DriverError::new(Reason::ProviderError, format!("{} failed to {call} {name}", self.key)));
            }
            Some(Mishap::ActsLate) => {
                let (provider, name) = (Arc::clone(self), name.to_owned());
                // Now and then later than any kill waits for it: then it is the janitor's.
                let latest = if world.mishap(4) { 60_000 } else { 5_000 };
                let wait = PATIENCE + world.some_time(0..latest);
                tokio::spawn(async move {
                    sleep(wait).await;
                    provider.act(call, &name, act).ok();
                });
                sleep(PATIENCE).await;
                return Err(self.silent(call));
            }
        }
        let done = self.act(call, name, act);
        sleep(world.some_time(0..20)).await;
        done
    }

    fn act<T>(&self, call: &str, name: &str, act: impl FnOnce(&mut State, &World) -> Result<T>) -> Result<T> {
        let mut state = self.state();
        state.pass_time();
        let done = act(&mut state, &self.world);
        drop(state);
        if let Err(error) = &done {
            self.world.note(&self.key, format_args!("{call} {name}: {error}"));
        } else if call != "find" {
            self.world.note(&self.key, format_args!("{call} {name}"));
        }
        done
    }

    fn silent(&self, call: &str) -> DriverError {
        DriverError::new(Reason::Unreachable, format!("{} did not answer to {call}", self.key))
    }

    fn mishap(&self, call: &str) -> Option<Mishap> {
        let mut state = self.state();
        if let Some(at) = state.orders.iter().position(|(ordered, _)| ordered == call) {
            return Some(state.orders.remove(at).1);
        }
        drop(state);
        let looks = matches!(call, "find" | "check" | "templates" | "list");
        if !self.world.mishap(if looks { 60 } else { 12 }) {
            return None;
        }
        Some(match self.world.number(0..7) {
            1 | 2 if looks => Mishap::LostRequest,
            1 if call == "clone" => Mishap::Refused(Reason::NoCapacity),
            0 | 1 => Mishap::Refused(Reason::ProviderError),
            2 => Mishap::ActsAndFails,
            3 => Mishap::LostRequest,
            4 => Mishap::LostAnswer,
            5 if call == "clone" => Mishap::ActsLate,
            _ => Mishap::Slow,
        })
    }

    pub(crate) async fn check(self: &Arc<Self>) -> Result<String> {
        self.call("check", "", |_, _| Ok("simulated 1".to_owned())).await
    }

    pub(crate) async fn templates(self: &Arc<Self>) -> Result<Vec<String>> {
        self.call("templates", "", |state, _| Ok(state.templates.clone())).await
    }

    pub(crate) async fn list(self: &Arc<Self>) -> Result<Vec<Instance>> {
        let shown = |state: &mut State, _: &World| {
            Ok(state.machines.iter().filter_map(|(name, machine)| machine.shown(name)).collect())
        };
        self.call("list", "", shown).await
    }

    pub(crate) async fn find(self: &Arc<Self>, name: &str) -> Result<Option<Instance>> {
        let wanted = name.to_owned();
        self.call("find", name, move |state, _| Ok(state.machines.get(&wanted).and_then(|m| m.shown(&wanted)))).await
    }

    pub(crate) async fn clone_template(self: &Arc<Self>, spec: &CloneSpec) -> Result<()> {
        let CloneSpec { name, template, tags, .. } = spec.clone();
        let called = name.clone();
        let act = move |state: &mut State, world: &World| {
            if !state.templates.contains(&template) {
                return Err(DriverError::new(Reason::TemplateNotFound, format!("there is no template {template}")));
            }
            if state.machines.contains_key(&name) {
                return Err(DriverError::new(Reason::NameTaken, format!("{name} is in use")));
            }
            let now = Instant::now();
            let machine = Machine {
                tags,
                power: PowerState::Off,
                shown_at: if world.stormy() { now + world.some_time(0..1_500) } else { now },
                address_at: None,
                vanishes_at: (world.breaks() && world.mishap(10)).then(|| now + world.some_time(500..30_000)),
                gone_at: None,
                boots: !(world.breaks() && world.mishap(20)),
            };
            state.count("clone", &name);
            state.machines.insert(name, machine);
            Ok(())
        };
        self.call("clone", &called, act).await
    }

    pub(crate) async fn tag(self: &Arc<Self>, name: &str, tags: &Tags) -> Result<()> {
        let (wanted, tags) = (name.to_owned(), tags.clone());
        self.call("tag", name, move |state, _| state.at(&wanted).map(|machine| machine.tags = tags)).await
    }

    pub(crate) async fn start(self: &Arc<Self>, name: &str) -> Result<()> {
        let wanted = name.to_owned();
        let act = move |state: &mut State, world: &World| {
            let machine = state.at(&wanted)?;
            if machine.power != PowerState::On {
                machine.power = PowerState::On;
                machine.address_at = machine.boots.then(|| Instant::now() + world.some_time(100..4_000));
                state.count("start", &wanted);
            }
            Ok(())
        };
        self.call("start", name, act).await
    }

    pub(crate) async fn stop(self: &Arc<Self>, name: &str) -> Result<()> {
        let wanted = name.to_owned();
        let act = move |state: &mut State, _: &World| {
            if let Ok(machine) = state.at(&wanted)
                && machine.power != PowerState::Off
            {
                machine.power = PowerState::Off;
                machine.address_at = None;
                state.count("stop", &wanted);
            }
            Ok(())
        };
        self.call("stop", name, act).await
    }

    pub(crate) async fn delete(self: &Arc<Self>, name: &str, tags: &Tags) -> Result<()> {
        let (wanted, tags) = (name.to_owned(), tags.clone());
        let act = move |state: &mut State, world: &World| {
            let Some(machine) = state.machines.get_mut(&wanted) else { return Ok(()) };
            if (&machine.tags.installation_id, machine.tags.appliance_id) != (&tags.installation_id, tags.appliance_id)
            {
                return Err(DriverError::new(Reason::NameTaken, format!("{wanted} is not ours")));
            }
            if machine.gone_at.is_none() {
                machine.gone_at = Some(Instant::now() + world.some_time(0..3_000));
                state.count("delete", &wanted);
            }
            Ok(())
        };
        self.call("delete", name, act).await
    }
}

impl State {
    /// What was to happen by itself until now.
    fn pass_time(&mut self) {
        let now = Instant::now();
        let over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let vanished =
            self.machines.iter().filter(|(_, machine)| over(machine.vanishes_at)).map(|(name, _)| name.clone());
        self.vanished.extend(vanished);
        self.machines.retain(|_, machine| !over(machine.gone_at) && !over(machine.vanishes_at));
    }

    fn at(&mut self, name: &str) -> Result<&mut Machine> {
        self.machines.get_mut(name).ok_or_else(|| DriverError::not_found(name))
    }

    fn count(&mut self, call: &'static str, name: &str) {
        *self.acts.entry((name.to_owned(), call)).or_default() += 1;
    }
}

impl Machine {
    /// As the provider shows it, if it does.
    fn shown(&self, name: &str) -> Option<Instance> {
        let now = Instant::now();
        let address = self.address_at.filter(|at| *at <= now).map(|_| "192.0.2.1".to_owned());
        (self.shown_at <= now).then(|| Instance {
            name: name.to_owned(),
            provider_ref: format!("ref-{name}"),
            power: self.power,
            tags: Some(self.tags.clone()),
            address,
            published: BTreeMap::new(),
            memory_mib: None,
            cpus: None,
            console_url: None,
        })
    }
}
