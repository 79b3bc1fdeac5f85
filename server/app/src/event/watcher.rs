//! Someone who watches whatever they may see: what that is, known without asking the database for each event.
//!
//! It is read when a stream begins and when one reads the past, and by the feed before it hands out anything that came after a change of it.

use std::sync::{Arc, PoisonError, RwLock};

use sprout_domain::{
    UserId,
    event::{Audience, Event},
    user::Role,
};
use tokio::sync::broadcast;

use crate::ports::{Sight, Told};

/// Events held for streams of one user that are a little behind.
const KEPT_OF_USER: usize = 128;

/// A user who watches, by any number of streams.
pub(super) struct Watcher {
    id: UserId,
    tail: broadcast::Sender<Arc<Event>>,
    /// None: not read yet.
    rights: RwLock<Option<Rights>>,
}

struct Rights {
    /// The last event before these were read.
    as_of: i64,
    role: Role,
    told: Told,
}

impl Watcher {
    pub(super) fn new(id: UserId) -> Self {
        Self { id, tail: broadcast::Sender::new(KEPT_OF_USER), rights: RwLock::default() }
    }

    pub(super) fn id(&self) -> UserId {
        self.id
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.tail.subscribe()
    }

    /// Somebody watches.
    pub(super) fn is_there(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    pub(super) fn hand(&self, event: &Arc<Event>) {
        let _ = self.tail.send(event.clone()); // no stream of this user is left
    }

    /// Remembers what the user may see, read in a transaction in which this was the last event; unless later rights are known.
    pub(super) fn learn(&self, as_of: i64, sight: Option<&Sight>) {
        let mut rights = self.rights.write().unwrap_or_else(PoisonError::into_inner);
        if rights.as_ref().is_some_and(|known| known.as_of > as_of) {
            return;
        }
        let told = Told { user_id: Some(self.id), audiences: sight.map(Sight::audiences).unwrap_or_default() };
        *rights = Some(Rights { as_of, role: sight.map_or(Role::User, |sight| sight.role), told });
    }

    /// What the user may be told.
    pub(super) fn told(&self) -> Told {
        let rights = self.rights.read().unwrap_or_else(PoisonError::into_inner);
        let nothing = || Told { user_id: Some(self.id), audiences: [].into() };
        rights.as_ref().map_or_else(nothing, |rights| rights.told.clone())
    }

    /// Whether the user is staff now.
    pub(super) fn is_staff(&self) -> bool {
        let rights = self.rights.read().unwrap_or_else(PoisonError::into_inner);
        rights.as_ref().is_some_and(|rights| rights.role >= Role::Staff)
    }

    /// Whether the user may be told of an event; of one for others than owners, while it is not known what the user sees, yes.
    pub(super) fn may_be_told(&self, event: &Event) -> bool {
        event.fact.is_of(self.id) || event.fact.audience.as_ref().is_some_and(|audience| self.belongs_to(audience))
    }

    fn belongs_to(&self, audience: &Audience) -> bool {
        let rights = self.rights.read().unwrap_or_else(PoisonError::into_inner);
        rights.as_ref().is_none_or(|rights| rights.told.audiences.contains(audience))
    }
}
