//! Timelines: what happened to a pool, an appliance or a provider, latest first.

use sprout_domain::{
    ApplianceId, Error, PoolId, ProviderKey, Reason, Result,
    event::{Event, EventKind},
    user::{Role, User},
};

use crate::{
    App,
    appliance::visible,
    pool::owned,
    ports::{About, ApplianceBy, Page, TimelineFilter, Tx},
    visibility::visible_to,
};

/// What a caller wants to know of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Everything; staff only.
    All,
    /// A pool and its appliances.
    Pool(PoolId),
    /// An appliance.
    Appliance(ApplianceId),
    /// A provider.
    Provider(ProviderKey),
}

impl App {
    /// A page of what happened, latest first, of what the caller may see.
    pub async fn timeline(
        &self,
        caller: &User,
        subject: Subject,
        kinds: Vec<EventKind>,
        page: Page,
    ) -> Result<Vec<Event>> {
        let mut tx = self.ports.store.read().await?;
        let about = self.about(tx.as_mut(), caller, subject).await?;
        let kinds = told(caller, kinds)?;
        tx.timeline(&TimelineFilter { about, kinds }, page).await
    }

    async fn about(&self, tx: &mut dyn Tx, caller: &User, subject: Subject) -> Result<About> {
        Ok(match subject {
            Subject::All if caller.role < Role::Staff => {
                let message = "only staff may list all events; name a pool, an appliance or a provider";
                return Err(Error::new(Reason::NotAllowed, message));
            }
            Subject::All => About::All,
            Subject::Pool(id) => About::Pool(owned(tx, caller, id).await?.id),
            Subject::Appliance(id) => {
                let appliance = visible(tx, caller, &ApplianceBy::Id(id)).await?;
                About::Appliance(id, appliance.pool_id)
            }
            Subject::Provider(key) => {
                let seen = visible_to(tx, caller).await?;
                self.catalogue().provider_seen(&key, &seen)?;
                About::Provider(key)
            }
        })
    }
}

/// The kinds that the caller is told of; empty: all.
fn told(caller: &User, kinds: Vec<EventKind>) -> Result<Vec<EventKind>> {
    if caller.role >= Role::Staff {
        return Ok(kinds);
    }
    let asked = if kinds.is_empty() { EventKind::ALL.to_vec() } else { kinds };
    let told: Vec<_> = asked.into_iter().filter(|kind| !kind.is_for_staff()).collect();
    if told.is_empty() {
        return Err(Error::new(Reason::NotAllowed, "only staff may list events of this kind; ask for other kinds"));
    }
    Ok(told)
}
