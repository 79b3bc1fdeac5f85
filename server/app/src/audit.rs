//! The audit log: calls that changed something, written in the transaction that changed it, and calls that were refused, written afterwards.
//!
//! Whoever serves a call makes a [`Call`] and runs the use case within it. The first transaction that the use case commits carries the record, so
//! that there is never a change without one. Requests that share a transaction take their calls along.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sprout_domain::{
    Result,
    audit::{DONE, NewRecord, Record},
};

use crate::{
    App,
    ports::{Page, RecordFilter, Store},
};

/// Refusals are written this often at most, all that came meanwhile together.
const PAUSE: Duration = Duration::from_secs(1);
/// Of signed-in callers this many in one go; the others are counted.
const MOST: usize = 200;
/// Of callers who are nobody this many in one go, of the above.
const MOST_ANONYMOUS: usize = 20;

tokio::task_local! {
    static CURRENT: Arc<Call>;
}

/// A call under way.
pub struct Call {
    /// Name of the caller and of the token used, once they are known.
    caller: OnceLock<(String, String)>,
    peer: String,
    method: String,
    /// What it was called with; asked for when the record is written.
    request: Box<dyn Fn() -> String + Send + Sync>,
    /// The record is committed.
    recorded: AtomicBool,
}

impl Call {
    /// A call of nobody yet. `request` tells what it was called with, as JSON without secrets.
    pub fn new(method: &str, peer: String, request: impl Fn() -> String + Send + Sync + 'static) -> Arc<Self> {
        let (caller, recorded) = (OnceLock::new(), AtomicBool::new(false));
        Arc::new(Self { caller, peer, method: method.to_owned(), request: Box::new(request), recorded })
    }

    /// Says whose call it is; the first time counts.
    pub fn by(&self, user: &str, token: &str) {
        let _ = self.caller.set((user.to_owned(), token.to_owned()));
    }

    /// Runs a use case within the call.
    pub async fn run<F: Future>(self: Arc<Self>, use_case: F) -> F::Output {
        CURRENT.scope(self, use_case).await
    }

    /// Whether a record of it is committed.
    pub fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::SeqCst)
    }

    pub(crate) fn recorded(&self) {
        self.recorded.store(true, Ordering::SeqCst);
    }

    /// The record that it did what it was asked.
    pub(crate) fn done(&self) -> NewRecord {
        self.record(DONE, "")
    }

    fn record(&self, result: &str, message: &str) -> NewRecord {
        let (user, token) = self.caller.get().cloned().unwrap_or_default();
        NewRecord {
            user,
            token,
            peer: self.peer.clone(),
            method: self.method.clone(),
            request: (self.request)(),
            result: result.to_owned(),
            message: message.to_owned(),
        }
    }
}

/// The call that this is done for, if it is done for one.
pub(crate) fn current() -> Option<Arc<Call>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Says who the caller of the current call turned out to be.
pub(crate) fn signed_in(user: &str) {
    let _ = CURRENT.try_with(|call| call.by(user, ""));
}

/// Records that wait to be written. What comes faster than they are is counted, not kept.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    /// Someone writes, and will look here again.
    busy: bool,
    records: Vec<NewRecord>,
    anonymous: usize,
    left_out: usize,
}

impl Queue {
    fn put(&mut self, record: NewRecord) {
        let is_anonymous = record.user.is_empty();
        if self.records.len() >= MOST || (is_anonymous && self.anonymous >= MOST_ANONYMOUS) {
            self.left_out += 1;
            return;
        }
        self.anonymous += usize::from(is_anonymous);
        self.records.push(record);
    }

    /// All there is to write; none: nothing, and from now on nobody writes.
    fn take(&mut self) -> Option<(Vec<NewRecord>, usize)> {
        let mut records = std::mem::take(&mut self.records);
        let left_out = std::mem::take(&mut self.left_out);
        self.anonymous = 0;
        if left_out > 0 {
            let message = format!("{left_out} more refused calls came than are written at once, and are left out");
            records.push(NewRecord { result: "RESOURCE_EXHAUSTED".to_owned(), message, ..NewRecord::default() });
        }
        self.busy = !records.is_empty();
        let lost = records.len() - usize::from(left_out > 0) + left_out;
        self.busy.then_some((records, lost))
    }
}

impl Waiting {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record; whether someone must begin to write.
    fn put(&self, record: NewRecord) -> bool {
        let mut queue = self.queue();
        queue.put(record);
        !std::mem::replace(&mut queue.busy, true)
    }

    async fn write(&self, store: &dyn Store) {
        loop {
            let Some((records, count)) = self.queue().take() else { return };
            if let Err(error) = append(store, records).await {
                tracing::debug!(%error, count, "records of refused calls were not written");
                self.queue().left_out += count;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn append(store: &dyn Store, records: Vec<NewRecord>) -> Result<()> {
    let mut tx = store.write().await?;
    tx.append_records(records).await?;
    tx.commit().await
}

impl App {
    /// Notes how a call ended that no transaction has recorded. Returns at once; the record is written soon, unless too many are.
    pub fn note_call(self: &Arc<Self>, call: &Call, result: &str, message: &str) {
        if self.refusals.put(call.record(result, message)) {
            let app = self.clone();
            tokio::spawn(async move { app.refusals.write(app.ports.store.as_ref()).await });
        }
    }

    /// A page of audit records, newest first.
    pub async fn records(&self, filter: &RecordFilter, page: Page) -> Result<Vec<Record>> {
        self.ports.store.read().await?.records(filter, page).await
    }

    /// Deletes audit records older than `keep`, at most `limit`; returns how many.
    pub async fn prune_records(&self, keep: Duration, limit: u64) -> Result<u64> {
        let mut tx = self.ports.store.write().await?;
        let keep = chrono::Duration::from_std(keep).unwrap_or(chrono::Duration::MAX);
        // What is to be kept from before time began is kept.
        let Some(before) = tx.now().checked_sub_signed(keep) else { return Ok(0) };
        let count = tx.prune_records(before, limit).await?;
        tx.commit().await?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str) -> NewRecord {
        NewRecord { user: user.to_owned(), ..NewRecord::default() }
    }

    #[test]
    fn a_flood_is_counted_and_leaves_room_for_those_who_are_known() {
        let mut queue = Queue::default();
        (0..1000).for_each(|_| queue.put(of("")));
        (0..1000).for_each(|_| queue.put(of("ann")));
        let (records, lost) = queue.take().unwrap();
        assert_eq!(records.iter().filter(|record| record.user == "ann").count(), MOST - MOST_ANONYMOUS);
        assert_eq!((records.len(), lost), (MOST + 1, 2000));
        assert!(records[MOST].message.starts_with("1800 more refused calls"), "{records:?}");
        assert!(queue.busy);
        assert!(queue.take().is_none());
        assert!(!queue.busy);
    }

    #[tokio::test]
    async fn whose_call_it_is_is_said_once() {
        let call = Call::new("a/B", "::1".to_owned(), || "{}".to_owned());
        call.by("ann", "ci");
        call.clone().run(async { signed_in("ben") }).await;
        let NewRecord { user, token, request, result, .. } = call.done();
        assert_eq!([user, token, request, result], ["ann", "ci", "{}", DONE]);
        assert!(current().is_none());
    }
}
