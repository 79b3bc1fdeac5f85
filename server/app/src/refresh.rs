//! Refreshes: everything on a provider is listed by a worker, and held against what the database knows.
//!
//! Taking a listing is one transaction, of as many statements for thousands of machines as for one, and writes only what is not as it was. A listing
//! that failed, or is not whole, says nothing at all. It began, by the database's clock, when its step was given to the worker.

mod appliances;
mod lost;
mod machines;

use sprout_domain::{
    Error, ProviderKey, Result, Timestamp,
    machine::Listed,
    workflow::{Subject, Task, Workflow, WorkflowKind},
};

use crate::{
    App, cleanup,
    ports::NewWorkflow,
    work::{Work, repeated},
    workflow::begin_parent,
};

impl App {
    /// Has workers list all providers. Returns the parent of the refreshes, which has those as its parts that were under way already: the one under
    /// way, if there is one.
    pub async fn refresh_providers(&self) -> Result<Workflow> {
        repeated(|| async move {
            let refreshes = self.catalogue().providers.keys().map(refresh).collect();
            let mut work = self.work().await?;
            let parent = begin_parent(&mut work, NewWorkflow::parent(WorkflowKind::Refreshes), refreshes).await?;
            work.commit().await?;
            Ok(parent)
        })
        .await
    }

    /// Providers whose last listing began longer ago than this, or that were never listed; for people.
    pub async fn stale_providers(&self, after: std::time::Duration) -> Result<Vec<(ProviderKey, Option<Timestamp>)>> {
        let mut tx = self.ports.store.read().await?;
        let fresh_since = sprout_domain::lease::begin(tx.now(), after);
        let catalogue = self.catalogue();
        let mut refreshed = tx.refreshed().await?;
        refreshed.retain(|key, at| catalogue.providers.contains_key(key) && at.is_none_or(|at| at < fresh_since));
        Ok(refreshed.into_iter().collect())
    }

    /// Takes a listing.
    pub(crate) async fn provider_listed(&self, work: &mut Work, task: &Task, mut listing: Vec<Listed>) -> Result<()> {
        let key = &task.provider;
        let began = task.started_at.ok_or_else(|| Error::internal("a step that ended before it began"))?;
        if work.tx.refreshed().await?.get(key).copied().flatten().is_some_and(|last| last >= began) {
            return Ok(()); // what is known is newer
        }
        tidy(&mut listing);
        let kept = work.tx.kept(key, None).await?;
        let lost = machines::write(work, key, &listing, &kept, began).await?;
        lost::rebuild(work, key, &listing, &lost).await?;
        appliances::write(work, key, &listing, &kept, began).await?;
        work.tx.set_refreshed(key, began).await?;
        cleanup::begin(work, key).await
    }
}

/// The workflow that refreshes a provider.
fn refresh(key: &ProviderKey) -> NewWorkflow {
    NewWorkflow::new(WorkflowKind::Refresh, Subject::Provider(key.clone()), Some(key.clone()))
}

/// Each name once, what is marked as ours first: some providers have several machines of one name, none of which can be told from the other.
fn tidy(listing: &mut Vec<Listed>) {
    use sprout_domain::machine::Marks;
    listing.retain(|listed| !listed.name.is_empty());
    listing.sort_by(|a, b| {
        let others = |listed: &Listed| !matches!(listed.marks, Marks::Ours(_));
        (&a.name, others(a)).cmp(&(&b.name, others(b)))
    });
    listing.dedup_by(|later, first| later.name == first.name);
}
