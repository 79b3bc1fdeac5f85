//! What failed deployments mean for others: circuits of providers, and quarantines of templates.
//!
//! Both are counted in the transaction that takes the result, which locks tasks, then the provider, then the template, then pools. What is due later
//! (checks, single deployments that try, specimens nobody needs any more) is done by [`App::try_again`], which every server does, on time.

use std::time::Duration;

use sprout_domain::{
    Error, ProviderKey, Reason, Result, TemplateId,
    blame::{Blame, blame},
    circuit::{CircuitEvent, CircuitRules},
    event::{EventKind, NewEvent},
    provider::{Circuit, CircuitState, Provider},
    quarantine::{Trial, TrialEvent, TrialRules},
    template::{Template, TemplateState},
    user::User,
    workflow::{StepError, Task},
};

use crate::{
    App,
    appliance::{For, deploy},
    kill::kill_appliances,
    ports::{ApplianceBy, Topic},
    provider::check,
    task::appliance_of,
    work::{Work, repeated},
};

impl App {
    /// Does what is due: checks of providers whose circuits are open, deployments of quarantined templates, and the ends of specimens. Returns how
    /// long it is until the next try is due.
    pub async fn try_again(&self) -> Result<Option<Duration>> {
        let due = self.ports.store.read().await?.due_tries().await?;
        for key in &due.providers {
            repeated(|| self.try_provider(key)).await?;
        }
        for id in due.templates {
            repeated(|| self.try_template(id)).await?;
        }
        repeated(|| self.end_specimens()).await?;
        let mut tx = self.ports.store.read().await?;
        let next = tx.next_try().await?;
        Ok(next.map(|at| (at - tx.now()).to_std().unwrap_or_default()))
    }

    /// A provider is to be checked before a deployment tries it.
    async fn try_provider(&self, key: &ProviderKey) -> Result<()> {
        let mut work = self.work().await?;
        if self.move_circuit(&mut work, key, CircuitEvent::Due).await? && self.catalogue().providers.contains_key(key) {
            work.tx.insert_workflows(vec![check(key)]).await?;
            work.wake(Topic::Tasks);
        }
        work.commit().await
    }

    /// A single deployment, for nobody, tries whether a template has healed: where there is room, and none of it is under way.
    async fn try_template(&self, id: TemplateId) -> Result<()> {
        let mut work = self.work().await?;
        if let Some(template) = self.move_trial(&mut work, id, TrialEvent::Due).await? {
            let room = work.tx.room(std::slice::from_ref(&template.provider)).await?;
            let fits = room.get(&template.provider).is_some_and(|room| room.fits(&room.usual).is_ok());
            if fits && !work.tx.is_being_deployed(id).await? {
                deploy(&mut work, vec![(template, For::default())]).await?;
            }
        }
        work.commit().await
    }

    async fn end_specimens(&self) -> Result<()> {
        let mut work = self.work().await?;
        let stale = work.tx.stale_specimens().await?;
        if stale.is_empty() {
            return Ok(());
        }
        kill_appliances(&mut work, &stale, "it was kept for inspection, and its template needs that no more").await?;
        work.commit().await
    }

    /// Closes a provider's circuit.
    pub async fn close_circuit(&self, caller: &User, key: &ProviderKey) -> Result<Provider> {
        self.provider(caller, key).await?;
        repeated(|| async {
            let mut work = self.work().await?;
            self.move_circuit(&mut work, key, CircuitEvent::ClosedByHand).await?;
            work.commit().await
        })
        .await?;
        self.provider(caller, key).await
    }

    /// Ends the quarantine of a template.
    pub async fn release_template(&self, caller: &User, id: TemplateId) -> Result<Template> {
        let template = self.template(caller, id).await?;
        if matches!(template.state, TemplateState::Retiring | TemplateState::Gone) {
            let message =
                format!("template {id} ({}) is going or gone; only a quarantined one can be released", template.name);
            return Err(Error::new(Reason::WrongState, message));
        }
        repeated(|| async {
            let mut work = self.work().await?;
            self.move_trial(&mut work, id, TrialEvent::Released).await?;
            work.commit().await
        })
        .await?;
        self.template(caller, id).await
    }

    /// Counts a deployment that failed for good, before pools are locked.
    pub(crate) async fn deployment_counts(&self, work: &mut Work, task: &Task, error: &StepError) -> Result<()> {
        let Blame { provider, template } = blame(task.step, error.reason);
        if provider {
            self.move_circuit(work, &task.provider, CircuitEvent::Failed(&error.message)).await?;
        }
        let Some(id) = appliance_of(task).filter(|_| template) else { return Ok(()) };
        let Some(appliance) = work.tx.appliance(&ApplianceBy::Id(id)).await? else { return Ok(()) };
        if appliance.memory_mib.is_none() && appliance.cpus.is_none() {
            let event = TrialEvent::Failed { why: &error.message, appliance: id };
            self.move_trial(work, appliance.template_id, event).await?;
        }
        Ok(())
    }

    /// Counts what a check of a provider found.
    pub(crate) async fn check_counts(&self, work: &mut Work, key: &ProviderKey, event: CircuitEvent<'_>) -> Result<()> {
        self.move_circuit(work, key, event).await.map(drop)
    }

    /// Applies an event to a provider's circuit; says whether that changed anything.
    async fn move_circuit(&self, work: &mut Work, key: &ProviderKey, event: CircuitEvent<'_>) -> Result<bool> {
        let Some(before) = work.tx.lock_circuit(key).await? else { return Ok(false) };
        let tolerated = self.catalogue().providers.get(key).map_or(u32::MAX, |spec| spec.circuit_failures);
        move_circuit(work, key, &before, event, tolerated).await
    }

    /// Applies an event to what is counted of a template; returns the template if that changed anything.
    async fn move_trial(&self, work: &mut Work, id: TemplateId, event: TrialEvent<'_>) -> Result<Option<Template>> {
        let Some((template, before)) = work.tx.lock_trial(id).await? else { return Ok(None) };
        let tolerated =
            self.catalogue().groups.get(&template.group).map_or(u32::MAX, |group| group.quarantine_failures);
        move_trial(work, template, &before, event, tolerated).await
    }
}

/// Counts deployments that succeeded, before pools are locked: among these tasks, those that end one.
pub(crate) async fn deployments_succeeded(work: &mut Work, ended: &[&Task]) -> Result<()> {
    let deployed: Vec<_> = ended.iter().filter(|task| task.workflow.is_deployment()).collect();
    if deployed.is_empty() {
        return Ok(());
    }
    let providers: Vec<_> = deployed.iter().map(|task| task.provider.clone()).collect();
    let appliances: Vec<_> = deployed.iter().filter_map(|task| appliance_of(task)).collect();
    // Nearly always nothing is counted, and nothing is locked.
    let troubled = work.tx.troubled(&providers, &appliances).await?;
    for key in &troubled.providers {
        if let Some(before) = work.tx.lock_circuit(key).await? {
            move_circuit(work, key, &before, CircuitEvent::Succeeded, u32::MAX).await?;
        }
    }
    for id in troubled.templates {
        if let Some((template, before)) = work.tx.lock_trial(id).await? {
            move_trial(work, template, &before, TrialEvent::Succeeded, u32::MAX).await?;
        }
    }
    Ok(())
}

async fn move_circuit(
    work: &mut Work,
    key: &ProviderKey,
    before: &Circuit,
    event: CircuitEvent<'_>,
    tolerated: u32,
) -> Result<bool> {
    let rules = CircuitRules { now: work.tx.now(), tolerated, jitter: fastrand::f64() };
    let Some(after) = before.after(event, &rules) else { return Ok(false) };
    work.tx.set_circuit(key, &after).await?;
    if (after.state, after.next_try_at) != (before.state, before.next_try_at) {
        tell_circuit(work, key, &after);
    }
    Ok(true)
}

fn tell_circuit(work: &mut Work, key: &ProviderKey, circuit: &Circuit) {
    let (state, says) = match (circuit.state, circuit.next_try_at) {
        (CircuitState::Closed, _) => ("closed", "is used again".to_owned()),
        (CircuitState::HalfOpen, None) => ("half_open", "was checked: a single deployment tries it".to_owned()),
        (CircuitState::HalfOpen, Some(_)) => {
            ("half_open", "is being checked before a single deployment tries it".to_owned())
        }
        (CircuitState::Open, at) => {
            let at = at.map(|at| format!(", until {}", at.format("%F %T UTC"))).unwrap_or_default();
            ("open", format!("is not used for new appliances{at}: {}", circuit.reason))
        }
    };
    work.emit(NewEvent {
        state: Some(state.to_owned()),
        ..NewEvent::of_provider(EventKind::ProviderCircuit, key, format!("provider {key} {says}"))
    });
    for topic in [Topic::Tries, Topic::Tasks, Topic::Warm, Topic::Queue] {
        work.wake(topic);
    }
}

async fn move_trial(
    work: &mut Work,
    template: Template,
    before: &Trial,
    event: TrialEvent<'_>,
    tolerated: u32,
) -> Result<Option<Template>> {
    let rules = TrialRules { now: work.tx.now(), tolerated, jitter: fastrand::f64() };
    let Some(after) = before.after(event, &rules) else { return Ok(None) };
    work.tx.set_trial(template.id, &after).await?;
    if after.state != before.state {
        tell_trial(work, &template, &after);
    }
    if (after.next_try_at, after.specimen_id) != (before.next_try_at, before.specimen_id) {
        work.wake(Topic::Tries);
    }
    Ok(Some(template))
}

fn tell_trial(work: &mut Work, template: &Template, after: &Trial) {
    let Template { id, name, provider, .. } = template;
    let (state, says) = match after.state {
        TemplateState::Quarantined => ("quarantined", format!("is quarantined: {}", after.reason)),
        _ => ("ready", "is used again".to_owned()),
    };
    let message = format!("template {id} ({name} on {provider}) {says}");
    work.emit(NewEvent {
        state: Some(state.to_owned()),
        ..NewEvent::of_provider(EventKind::TemplateState, provider, message)
    });
    work.wake(Topic::Warm);
    work.wake(Topic::Queue);
}
