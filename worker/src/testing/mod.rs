//! A provider in memory whose faults are scripted, for the tests of steps, executor and session.

pub(crate) mod sshd;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use crate::driver::{
    Capabilities, CloneSpec, Driver, DriverError, Instance, Needs, PowerState, Reason, Report, Result, Tags,
};

/// What happens to the next call of one kind, instead of its doing what it should.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nothing is done, and this comes back.
    Fails(Reason),
    /// It is done, and this comes back.
    ActsAndFails(Reason),
    /// Nothing is done, and success comes back.
    Lies,
    /// It is done after this was told.
    Waits(Arc<Notify>),
    /// It panics.
    Panics,
    /// Nothing is done now, this comes back, and it is done after so many looks.
    ActsLate(Reason, u32),
}

/// A provider in memory.
#[derive(Debug)]
pub(crate) struct FakeDriver {
    state: Mutex<State>,
    /// Calls so far, for those who wait for one.
    calls: watch::Sender<Vec<String>>,
}

#[derive(Debug, Default)]
struct State {
    instances: BTreeMap<String, Instance>,
    faults: BTreeMap<&'static str, VecDeque<Fault>>,
    late: Option<(CloneSpec, u32)>,
    retag: bool,
    disks: BTreeMap<String, u64>,
    templates: Vec<String>,
}

impl Default for FakeDriver {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                retag: true,
                templates: vec!["b".to_owned(), "a".to_owned()],
                ..State::default()
            }),
            calls: watch::Sender::default(),
        }
    }
}

impl FakeDriver {
    /// The next calls of this kind meet these faults, one each.
    pub(crate) fn script(&self, call: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.entry(call).or_default().extend(faults);
    }

    /// Puts something on the provider.
    pub(crate) fn put(&self, instance: Instance) {
        self.state().instances.insert(instance.name.clone(), instance);
    }

    /// Takes it off.
    pub(crate) fn take(&self, name: &str) -> Option<Instance> {
        self.state().instances.remove(name)
    }

    /// What is there.
    pub(crate) fn get(&self, name: &str) -> Option<Instance> {
        self.state().instances.get(name).cloned()
    }

    /// These templates are there.
    pub(crate) fn with_templates(&self, templates: Vec<String>) {
        self.state().templates = templates;
    }

    /// Appliances get their marks by `create` only.
    pub(crate) fn without_retag(&self) {
        self.state().retag = false;
    }

    /// Size of the extra disk, if there is one.
    pub(crate) fn disk(&self, name: &str) -> Option<u64> {
        self.state().disks.get(name).copied()
    }

    /// How often this was called so far.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.calls.borrow().iter().filter(|made| *made == call).count()
    }

    /// Ends once this was called that often.
    pub(crate) async fn called(&self, call: &str, times: usize) {
        let mut calls = self.calls.subscribe();
        calls.wait_for(|made| made.iter().filter(|made| *made == call).count() >= times).await.unwrap();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Notes the call, and does `act` as the script says.
    async fn call<T: Default>(&self, call: &'static str, act: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.calls.send_modify(|calls| calls.push(call.to_owned()));
        let fault = self.state().faults.get_mut(call).and_then(VecDeque::pop_front);
        let fail = |reason| Err(DriverError::new(reason, format!("scripted: {call}")));
        match fault {
            None => act(&mut self.state()),
            Some(Fault::Fails(reason) | Fault::ActsLate(reason, _)) => fail(reason),
            Some(Fault::ActsAndFails(reason)) => act(&mut self.state()).and(fail(reason)),
            Some(Fault::Lies) => Ok(T::default()),
            Some(Fault::Waits(told)) => {
                told.notified().await;
                act(&mut self.state())
            }
            Some(Fault::Panics) => panic!("scripted panic"),
        }
    }
}

impl State {
    fn note_late(&mut self, spec: &CloneSpec) {
        if let Some(Fault::ActsLate(_, looks)) = self.faults.get("create").and_then(VecDeque::front) {
            self.late = Some((spec.clone(), *looks));
        }
    }

    fn create(&mut self, spec: &CloneSpec) -> Result<()> {
        if self.instances.contains_key(&spec.name) {
            return Err(DriverError::new(Reason::NameTaken, "the name is in use"));
        }
        if spec.template == "missing" {
            return Err(DriverError::new(Reason::TemplateNotFound, "no such template"));
        }
        let made = Instance { tags: Some(spec.tags.clone()), power: PowerState::Off, ..instance(&spec.name) };
        self.instances.insert(spec.name.clone(), made);
        Ok(())
    }

    fn power(&mut self, name: &str, power: PowerState) -> Result<()> {
        self.at(name)?.power = power;
        Ok(())
    }

    fn rename(&mut self, name: &str, new_name: &str) -> Result<()> {
        if self.instances.contains_key(new_name) {
            return Err(DriverError::new(Reason::NameTaken, "the name is in use"));
        }
        let instance = self.instances.remove(name).ok_or_else(|| DriverError::not_found(name))?;
        self.instances.insert(new_name.to_owned(), Instance { name: new_name.to_owned(), ..instance });
        Ok(())
    }

    fn at(&mut self, name: &str) -> Result<&mut Instance> {
        self.instances.get_mut(name).ok_or_else(|| DriverError::not_found(name))
    }
}

/// Something on a provider: on, without marks or address.
pub(crate) fn instance(name: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        provider_ref: format!("ref-{name}"),
        power: PowerState::On,
        tags: None,
        address: None,
        published: BTreeMap::new(),
        memory_mib: None,
        cpus: None,
        console_url: None,
    }
}

#[async_trait]
impl Driver for FakeDriver {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            retag: self.state().retag,
            suspend: true,
            rename: Some(Needs::Any),
            resize: None,
            snapshot: false,
            disk: true,
            make_template: Some(Needs::Off),
        }
    }

    async fn check(&self) -> Result<Report> {
        self.call("check", |_| Ok("fake 1".to_owned())).await.map(|version| Report {
            version,
            memory_mib: Some(1024),
            cpus: None,
        })
    }

    async fn templates(&self) -> Result<Vec<String>> {
        self.call("templates", |state| Ok(state.templates.clone())).await
    }

    async fn list(&self) -> Result<Vec<Instance>> {
        self.call("list", |state| Ok(state.instances.values().cloned().collect())).await
    }

    async fn find(&self, name: &str) -> Result<Option<Instance>> {
        self.call("find", |state| {
            if let Some((spec, looks)) = state.late.take() {
                if looks == 0 {
                    state.create(&spec)?;
                } else {
                    state.late = Some((spec, looks - 1));
                }
            }
            Ok(state.instances.get(name).cloned())
        })
        .await
    }

    async fn create(&self, spec: &CloneSpec) -> Result<()> {
        self.state().note_late(spec);
        self.call("create", |state| state.create(spec)).await
    }

    async fn tag(&self, name: &str, tags: &Tags) -> Result<()> {
        self.call("tag", |state| state.at(name).map(|instance| instance.tags = Some(tags.clone()))).await
    }

    async fn start(&self, name: &str) -> Result<()> {
        self.call("start", |state| {
            state.at(name)?.power = PowerState::On;
            Ok(())
        })
        .await
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.call("stop", |state| {
            if let Some(instance) = state.instances.get_mut(name) {
                instance.power = PowerState::Off;
            }
            Ok(())
        })
        .await
    }

    async fn delete(&self, name: &str, tags: &Tags) -> Result<()> {
        self.call("delete", |state| {
            let ours = |there: &Tags| {
                (&there.installation_id, there.appliance_id) == (&tags.installation_id, tags.appliance_id)
            };
            match state.instances.get(name) {
                Some(instance) if !instance.tags.as_ref().is_some_and(ours) => {
                    Err(DriverError::new(Reason::NameTaken, "not ours"))
                }
                _ => {
                    state.instances.remove(name);
                    Ok(())
                }
            }
        })
        .await
    }

    async fn delete_unmarked(&self, name: &str) -> Result<()> {
        self.call("delete_unmarked", |state| {
            if state.instances.get(name).is_some_and(|instance| instance.tags.is_some()) {
                return Err(DriverError::new(Reason::NameTaken, "marked"));
            }
            state.instances.remove(name);
            Ok(())
        })
        .await
    }

    async fn reboot(&self, name: &str) -> Result<()> {
        self.call("reboot", |state| state.power(name, PowerState::On)).await
    }

    async fn suspend(&self, name: &str) -> Result<()> {
        self.call("suspend", |state| state.power(name, PowerState::Suspended)).await
    }

    async fn resume(&self, name: &str) -> Result<()> {
        self.call("resume", |state| state.power(name, PowerState::On)).await
    }

    async fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        self.call("rename", |state| state.rename(name, new_name)).await
    }

    async fn resize(&self, _: &str, _: Option<u32>, _: Option<u32>) -> Result<()> {
        Err(DriverError::unsupported("fake", "resize"))
    }

    async fn snapshot(&self, _: &str, _: &str) -> Result<()> {
        Err(DriverError::unsupported("fake", "snapshot"))
    }

    async fn reset(&self, _: &str, _: &str) -> Result<()> {
        Err(DriverError::unsupported("fake", "reset"))
    }

    async fn attach_disk(&self, name: &str, size_mib: u64) -> Result<()> {
        self.call("attach_disk", |state| {
            state.at(name)?;
            state.disks.entry(name.to_owned()).or_insert(size_mib);
            Ok(())
        })
        .await
    }

    async fn detach_disk(&self, name: &str) -> Result<()> {
        self.call("detach_disk", |state| {
            state.at(name)?;
            state.disks.remove(name);
            Ok(())
        })
        .await
    }

    async fn make_template(&self, name: &str, template: &str) -> Result<()> {
        self.call("make_template", |state| {
            let made = state.instances.contains_key(name).then(|| state.templates.push(template.to_owned()));
            made.ok_or_else(|| DriverError::not_found(name))
        })
        .await
    }

    async fn delete_template(&self, template: &str) -> Result<()> {
        self.call("delete_template", |state| {
            state.templates.retain(|there| there != template);
            Ok(())
        })
        .await
    }
}
