//! Providers: reading them, and having them checked.

use std::collections::BTreeSet;

use sprout_domain::{
    Error, ProviderKey, Reason, Result, WorkflowId,
    event::{EventKind, NewEvent},
    provider::Provider,
    workflow::{Subject, Task, WorkflowKind},
};

use crate::{
    App,
    ports::{FoundTemplate, NewWorkflow, Topic},
    work::Work,
};

impl App {
    /// All providers, by key.
    pub async fn providers(&self) -> Result<Vec<Provider>> {
        let catalogue = self.catalogue();
        let mut providers = self.ports.store.read().await?.providers().await?;
        providers.retain(|provider| catalogue.providers.contains_key(&provider.key));
        Ok(providers)
    }

    /// One provider.
    pub async fn provider(&self, key: &ProviderKey) -> Result<Provider> {
        self.catalogue().provider(key)?;
        let found = self.providers().await?.into_iter().find(|provider| provider.key == *key);
        found.ok_or_else(|| Error::new(Reason::ProviderNotFound, format!("there is no provider {key}")))
    }

    /// Has a worker look at a provider. Returns the workflow that does: the one under way, if there is one.
    pub async fn check_provider(&self, key: &ProviderKey) -> Result<WorkflowId> {
        self.catalogue().provider(key)?;
        let mut work = self.work().await?;
        let begun = begin_checks(&mut work, vec![key.clone()]).await?;
        work.commit().await?;
        begun.into_iter().next().ok_or_else(|| Error::internal("a check that neither runs nor began"))
    }

    /// Has workers look at all enabled providers.
    pub async fn check_providers(&self) -> Result<()> {
        let keys = self.catalogue().providers.values().filter(|p| !p.disabled).map(|p| p.key.clone()).collect();
        let mut work = self.work().await?;
        begin_checks(&mut work, keys).await?;
        work.commit().await
    }
}

/// Begins checks of these providers; where one is under way already, that one counts.
async fn begin_checks(work: &mut Work, keys: Vec<ProviderKey>) -> Result<Vec<WorkflowId>> {
    let subjects: Vec<_> = keys.iter().cloned().map(Subject::Provider).collect();
    let live = work.tx.live_workflows(&subjects).await?;
    let busy: BTreeSet<_> = live
        .iter()
        .filter_map(|workflow| match &workflow.subject {
            Subject::Provider(key) => Some(key.clone()),
            Subject::Appliance(_) => None,
        })
        .collect();
    let new: Vec<_> = keys
        .into_iter()
        .filter(|key| !busy.contains(key))
        .map(|key| NewWorkflow {
            kind: WorkflowKind::CheckProvider,
            subject: Subject::Provider(key.clone()),
            provider: key,
            owner_id: None,
            priority: 0,
            wait: false,
        })
        .collect();
    let mut ids: Vec<_> = live.into_iter().map(|workflow| workflow.id).collect();
    if !new.is_empty() {
        ids.extend(work.tx.insert_workflows(new).await?);
        work.wake(Topic::Tasks);
    }
    Ok(ids)
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
        let catalogue = self.catalogue();
        let found: Vec<_> = names
            .iter()
            .filter_map(|name| {
                // Where two rules match, the first group by name wins; that is stable, and configuration can mend it.
                let read = |group: &sprout_domain::group::Group| Some((group.name.clone(), group.pattern.read(name)?));
                let (group, (version, date)) = catalogue.groups.values().find_map(read)?;
                Some(FoundTemplate { name: name.clone(), group, version, date })
            })
            .collect();
        let changed = work.tx.sync_templates(&task.provider, &found).await?;
        let status = format!("{version}, {} of {} templates belong to a group", found.len(), names.len());
        work.tx.set_checked(&task.provider, true, &status).await?;
        if changed > 0 {
            work.wake(Topic::Warm);
        }
        emit_checked(work, task, true, status);
        Ok(())
    }
}

/// Writes down that a check failed.
pub(crate) async fn provider_failed(work: &mut Work, task: &Task, why: &str) -> Result<()> {
    work.tx.set_checked(&task.provider, false, why).await?;
    emit_checked(work, task, false, why.to_owned());
    Ok(())
}

fn emit_checked(work: &mut Work, task: &Task, working: bool, status: String) {
    let key = &task.provider;
    let state = if working { "working" } else { "failing" };
    work.emit(NewEvent {
        provider: Some(key.clone()),
        workflow_id: Some(task.workflow_id),
        state: Some(state.to_owned()),
        ..NewEvent::new(EventKind::ProviderChecked, format!("provider {key} is {state}: {status}"))
    });
}
