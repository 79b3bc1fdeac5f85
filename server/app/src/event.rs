//! The event log: who is told what of it, from any sequence on.

mod feed;
mod stream;
mod watcher;

use std::collections::VecDeque;

use sprout_domain::{
    Error, Result,
    user::{Role, User},
};

use self::stream::Scope;
pub(crate) use self::stream::as_told;
pub use self::{feed::Feed, stream::EventStream};
use crate::{
    App,
    appliance::visible,
    pool::owned,
    ports::{ApplianceBy, EventFilter},
    timeline::told,
};

type Tail = tokio::sync::broadcast::Receiver<std::sync::Arc<sprout_domain::event::Event>>;

/// Events read at once.
const BATCH: u64 = 1000;

impl App {
    /// Events from now on, or after a sequence: of a pool or an appliance of the caller's, or all that the caller may see.
    pub async fn events(&self, caller: &User, filter: EventFilter, after: Option<i64>) -> Result<EventStream> {
        let is_staff = caller.role >= Role::Staff;
        if !filter.kinds.is_empty() {
            told(caller, filter.kinds.clone())?; // or whoever asks would wait for good
        }
        let named = filter.pool_id.is_some() || filter.appliance_id.is_some();
        // Listening starts before the first look, so that no event falls between the two.
        let (watcher, tail) = match (named, is_staff) {
            (true, _) => (None, self.feed.subscribe(&filter)),
            (false, true) => some(self.feed.watcher_of_all(caller.id)),
            (false, false) => some(self.feed.watcher(caller.id)),
        };
        let mut tx = self.ports.store.read().await?;
        // Of what is not there nothing would ever be told, and whoever mistyped an id would wait for good.
        match (filter.pool_id, filter.appliance_id) {
            (Some(pool), _) => drop(owned(tx.as_mut(), caller, pool).await?),
            (None, Some(appliance)) => drop(visible(tx.as_mut(), caller, &ApplianceBy::Id(appliance)).await?),
            (None, None) => {}
        }
        let last = tx.last_sequence().await?;
        if let Some(ahead) = after.filter(|after| *after > last) {
            let message = format!(
                "the last event is {last}, there is no {ahead} to resume after; is this another installation, or was its database restored?"
            );
            return Err(Error::invalid("after_sequence", message));
        }
        let scope = match watcher {
            Some(watcher) => {
                watcher.learn(last, tx.sights(&[caller.id]).await?.get(&caller.id));
                if is_staff { Scope::Staff(watcher) } else { Scope::Seen(watcher) }
            }
            None if is_staff => Scope::Unlimited,
            None => Scope::Owned { user: caller.id, since: last },
        };
        let (sequence, behind) = after.map_or((last, false), |after| (after, true));
        Ok(self.stream(filter, scope, tail, sequence, behind))
    }

    /// Events from about now on: whatever is not among them, who looks after this call sees. For those who may see what the filter names.
    pub(crate) fn listen(&self, filter: EventFilter) -> EventStream {
        let tail = self.feed.subscribe(&filter);
        let sequence = self.feed.position();
        self.stream(filter, Scope::Unlimited, tail, sequence, false)
    }

    fn stream(&self, filter: EventFilter, scope: Scope, tail: Tail, sequence: i64, behind: bool) -> EventStream {
        let ports = self.ports.clone();
        EventStream { ports, filter, scope, tail, sequence, behind, ready: VecDeque::new(), over: None }
    }
}

fn some<W, T>((watcher, tail): (W, T)) -> (Option<W>, T) {
    (Some(watcher), tail)
}
