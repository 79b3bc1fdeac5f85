//! Requests for pools whose answer was lost: the old client sends them again, with nothing in them that says so. Whoever does within
//! [`REMEMBERED`] gets the pool that the first one may have made, by the request id it was sent with.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Old clients give up after a minute.
const REMEMBERED: Duration = Duration::from_secs(120);

/// Request ids whose answers were lost, by what was asked and by whom.
#[derive(Debug, Default)]
pub(super) struct Unanswered(Mutex<HashMap<Asked, Lost>>);

/// Request ids, and since when.
type Lost = Vec<(Instant, String)>;

/// What was asked, and by whom.
pub(super) type Asked = [u8; 32];

/// Names a request by its caller and all of its contents.
pub(super) fn asked(caller: &str, what: &str) -> Asked {
    let mut hash = Sha256::new();
    hash.update(u64::try_from(caller.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(caller);
    hash.update(what);
    hash.finalize().into()
}

impl Unanswered {
    /// The request id to send: that of an equal request whose answer was lost, which nobody else gets now, or a new one.
    pub(super) fn take(&self, asked: &Asked) -> String {
        let mut lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lost.retain(|_, ids| {
            ids.retain(|(since, _)| since.elapsed() < REMEMBERED);
            !ids.is_empty()
        });
        lost.get_mut(asked).and_then(Vec::pop).map_or_else(|| Uuid::new_v4().to_string(), |(_, id)| id)
    }

    /// The answer was lost.
    pub(super) fn remember(&self, asked: Asked, id: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(asked).or_default().push((Instant::now(), id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lost_answer_is_asked_for_once() {
        let (lost, mine, yours) = (Unanswered::default(), asked("me", "x"), asked("you", "x"));
        let (first, second) = (lost.take(&mine), lost.take(&mine));
        assert_ne!(first, second);
        lost.remember(mine, first.clone());
        lost.remember(mine, second.clone());
        assert!(![&first, &second].contains(&&lost.take(&yours)));
        assert_eq!([lost.take(&mine), lost.take(&mine)], [second, first]);
        assert_ne!(asked("ab", "c"), asked("a", "bc"));
    }
}
