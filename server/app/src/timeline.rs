//! Timelines: what happened to a pool, an appliance or a provider, or to all that someone may see, latest first.

use sprout_domain::{
    ApplianceId, Error, PoolId, ProviderKey, Reason, Result,
    event::{Audience, Event, EventKind},
    user::{Role, User},
};

use crate::{
    App,
    appliance::visible,
    event::as_told,
    pool::owned,
    ports::{About, ApplianceBy, Page, Sight, TimelineFilter, Told, Tx},
    visibility::visible_to,
};

/// What a caller wants to know of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Everything that the caller may see.
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
        let is_told = matches!(about, About::Told(_));
        let events = tx.timeline(&TimelineFilter { about, kinds }, page).await?;
        let events = events.into_iter();
        Ok(if is_told { events.map(|event| as_told(&event, caller.id)).collect() } else { events.collect() })
    }

    async fn about(&self, tx: &mut dyn Tx, caller: &User, subject: Subject) -> Result<About> {
        let is_staff = caller.role >= Role::Staff;
        Ok(match subject {
            Subject::All if is_staff => About::All,
            Subject::All => {
                let sight = tx.sights(&[caller.id]).await?.remove(&caller.id);
                let audiences = sight.as_ref().map(Sight::audiences).unwrap_or_default();
                About::Told(Told { user_id: Some(caller.id), audiences })
            }
            Subject::Pool(id) => About::Pool(owned(tx, caller, id).await?.id),
            Subject::Appliance(id) => {
                let appliance = visible(tx, caller, &ApplianceBy::Id(id)).await?;
                About::Appliance(id, appliance.pool_id)
            }
            Subject::Provider(key) => {
                let seen = visible_to(tx, caller).await?;
                self.catalogue().provider_seen(&key, &seen)?;
                if is_staff {
                    About::Provider(key)
                } else {
                    // Not the steps that are done there for others.
                    About::Told(Told { user_id: None, audiences: [Audience::Provider(key)].into() })
                }
            }
        })
    }
}

/// The kinds that the caller is told of; empty: all.
pub(crate) fn told(caller: &User, kinds: Vec<EventKind>) -> Result<Vec<EventKind>> {
    if caller.role >= Role::Staff {
        return Ok(kinds);
    }
    let asked = if kinds.is_empty() { EventKind::ALL.to_vec() } else { kinds };
    let told: Vec<_> = asked.into_iter().filter(|kind| !kind.is_for_staff()).collect();
    if told.is_empty() {
        return Err(Error::new(Reason::NotAllowed, "only staff are told of events of this kind; ask for other kinds"));
    }
    Ok(told)
}
