//! Providers: reading them, and having them checked.

use sprout_domain::{
    Error, ProviderKey, Reason, Result, Visible, WorkflowId,
    circuit::CircuitEvent,
    event::{EventKind, NewEvent},
    provider::Provider,
    user::User,
    workflow::{Subject, Task, Workflow, WorkflowKind},
};

use crate::{
    App, catalogue_sync,
    ports::{NewWorkflow, Topic, Tx},
    visibility::visible_to,
    work::{Work, repeated},
    workflow::begin_parent,
};

impl App {
    /// All providers, by key.
    pub async fn all_providers(&self) -> Result<Vec<Provider>> {
        self.seen_providers(self.ports.store.read().await?.as_mut(), &Visible::All).await
    }

    /// The providers the caller sees, by key.
    pub async fn providers(&self, caller: &User) -> Result<Vec<Provider>> {
        let mut tx = self.ports.store.read().await?;
        let visible = visible_to(tx.as_mut(), caller).await?;
        self.shown_providers(tx.as_mut(), &visible).await
    }

    /// One provider the caller sees.
    pub async fn provider(&self, caller: &User, key: &ProviderKey) -> Result<Provider> {
        let mut tx = self.ports.store.read().await?;
        let visible = visible_to(tx.as_mut(), caller).await?;
        self.catalogue().provider_seen(key, &visible)?;
        let found = self.shown_providers(tx.as_mut(), &visible).await?.into_iter().find(|found| found.key == *key);
        found.ok_or_else(|| Error::new(Reason::ProviderNotFound, format!("there is no provider {key}")))
    }

    /// With the user groups that have them, for those who see all.
    async fn shown_providers(&self, tx: &mut dyn Tx, visible: &Visible) -> Result<Vec<Provider>> {
        let mut providers = self.seen_providers(tx, visible).await?;
        if *visible == Visible::All {
            let mut groups = tx.groups_of_providers().await?;
            for provider in &mut providers {
                provider.user_groups = groups.remove(&provider.key).unwrap_or_default();
            }
        }
        Ok(providers)
    }

    async fn seen_providers(&self, tx: &mut dyn Tx, visible: &Visible) -> Result<Vec<Provider>> {
        let catalogue = self.catalogue();
        let mut providers = tx.providers().await?;
        providers.retain(|found| catalogue.providers.contains_key(&found.key) && visible.sees(&found.key));
        Ok(providers)
    }

    /// Has a worker look at a provider. Returns the workflow that does: the one under way, if there is one.
    pub async fn check_provider(&self, key: &ProviderKey) -> Result<WorkflowId> {
        self.catalogue().provider(key)?;
        repeated(|| async move {
            let mut work = self.work().await?;
            let begun = work.tx.insert_workflows(vec![check(key)]).await?;
            work.wake(Topic::Tasks);
            work.commit().await?;
            begun.first().map(|begun| begun.id).ok_or_else(|| Error::internal("a check that neither runs nor began"))
        })
        .await
    }

    /// Has workers look at all enabled providers. Returns the parent of the checks, which has those as its parts that were under way already, and
    /// ends when all have: the one under way, if there is one.
    pub async fn check_providers(&self) -> Result<Workflow> {
        repeated(|| async move {
            let checks = self.catalogue().providers.values().filter(|p| !p.disabled).map(|p| check(&p.key)).collect();
            let mut work = self.work().await?;
            let parent = begin_parent(&mut work, NewWorkflow::parent(WorkflowKind::CheckProviders), checks).await?;
            work.commit().await?;
            Ok(parent)
        })
        .await
    }
}

/// The workflow that checks a provider.
pub(crate) fn check(key: &ProviderKey) -> NewWorkflow {
    NewWorkflow::new(WorkflowKind::CheckProvider, Subject::Provider(key.clone()), Some(key.clone()))
}

impl App {
    /// Writes down what a check found: the provider works, and these are its templates.
    pub(crate) async fn provider_seen(
        &self,
        work: &mut Work,
        task: &Task,
        version: &str,
        names: &[String],
    ) -> Result<()> {
        // Nobody else writes what is said of templates until the end of this.
        catalogue_sync::take_turn(work).await?;
        // Only what it may have seen: a look that began before a template was deleted does not bring it back.
        let deleted = match task.started_at {
            Some(began) => work.tx.deleted_since(&task.provider, began).await?,
            None => Vec::new(),
        };
        let catalogue = self.catalogue();
        let prepared = work.tx.prepared_templates(&task.provider).await?;
        let names: Vec<_> = names.iter().filter(|name| !deleted.contains(name)).collect();
        let (found, mut look) = catalogue_sync::found(work, &task.provider, &names, &prepared).await?;
        // The provider before its templates, as everyone does.
        let status = format!("{version}, {} of {} templates belong to a group", found.len(), names.len());
        work.tx.set_checked(&task.provider, true, &status).await?;
        self.check_counts(work, &task.provider, CircuitEvent::CheckPassed).await?;
        let mut changed = work.tx.sync_templates(&task.provider, &found).await?;
        let to_prepare: Vec<_> =
            catalogue.groups.values().filter(|g| g.preparation.wanted).map(|group| group.name.clone()).collect();
        changed += work.tx.mark_unconfigured(&task.provider, &to_prepare).await?;
        if changed > 0 {
            look.change = format!("{changed} came, went or became others");
        }
        work.tx.note_look(&look).await?;
        if changed > 0 {
            self.mark_in_turn(work).await?;
            work.wake(Topic::Warm);
        }
        work.wake(Topic::Queue);
        emit_checked(work, task, true, status);
        Ok(())
    }

    /// Writes down that a check failed.
    pub(crate) async fn provider_failed(&self, work: &mut Work, task: &Task, why: &str) -> Result<()> {
        work.tx.set_checked(&task.provider, false, why).await?;
        self.check_counts(work, &task.provider, CircuitEvent::CheckFailed(why)).await?;
        emit_checked(work, task, false, why.to_owned());
        Ok(())
    }

    /// Switches a provider off or on for new appliances, or hides or shows it; `None`: as it is.
    pub async fn switch_provider(
        &self,
        caller: &User,
        key: &ProviderKey,
        off: Option<bool>,
        hidden: Option<bool>,
    ) -> Result<Provider> {
        let before = self.provider(caller, key).await?;
        if off == Some(false) && before.disabled {
            let message = format!(
                "provider {key} is disabled in the configuration; remove `disabled: true` from its `sprout:` in cfme_data.yaml"
            );
            return Err(Error::new(Reason::WrongState, message));
        }
        repeated(|| async {
            let mut work = self.work().await?;
            if work.tx.switch_provider(key, off, hidden).await? {
                tell_switched(&mut work, caller, key, off, hidden);
            }
            work.commit().await
        })
        .await?;
        self.provider(caller, key).await
    }
}

/// Tells what staff made of a provider, and wakes whoever may place there now.
fn tell_switched(work: &mut Work, caller: &User, key: &ProviderKey, off: Option<bool>, hidden: Option<bool>) {
    let off = off.map(|off| if off { "disabled" } else { "enabled" });
    let hidden = hidden.map(|hidden| if hidden { "hidden" } else { "shown" });
    let switched: Vec<_> = [off, hidden].into_iter().flatten().collect();
    let message = format!("provider {key} was {}", switched.join(" and "));
    work.emit(NewEvent {
        user: Some(caller.name.clone()),
        state: switched.last().map(|state| (*state).to_owned()),
        ..NewEvent::of_provider(EventKind::ProviderChanged, key, message)
    });
    for topic in [Topic::Tasks, Topic::Warm, Topic::Queue] {
        work.wake(topic);
    }
}

/// Name of a template without what container engines add to names that have none of that.
pub(crate) fn plain(name: &str) -> &str {
    let name = name.strip_prefix("localhost/").unwrap_or(name);
    name.strip_suffix(":latest").unwrap_or(name)
}

fn emit_checked(work: &mut Work, task: &Task, working: bool, status: String) {
    let key = &task.provider;
    let state = if working { "working" } else { "failing" };
    let message = format!("provider {key} is {state}: {status}");
    work.emit(NewEvent {
        workflow_id: Some(task.workflow_id),
        state: Some(state.to_owned()),
        ..NewEvent::of_provider(EventKind::ProviderChecked, key, message)
    });
}
