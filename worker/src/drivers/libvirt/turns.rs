//! Turns: of the changes that look first and then make or delete what they found missing, one at a time per name. libvirt
//! has no such transaction, and a clone whose caller has left may still be under way when the next one comes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

/// Who is changing what.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// The right to change what has one name, until dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits for the turn to change what has this name.
    pub(super) async fn take(&self, name: &str) -> Turn {
        let lock = {
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            names.retain(|_, lock| Arc::strong_count(lock) > 1);
            names.entry(name.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_per_name() {
        let turns = Turns::default();
        let first = turns.take("a").await;
        assert!(turns.take("a").now_or_never().is_none());
        assert!(turns.take("b").now_or_never().is_some());
        drop(first);
        assert!(turns.take("a").now_or_never().is_some());
        assert!(turns.take("c").now_or_never().is_some());
        assert!(turns.0.lock().unwrap_or_else(PoisonError::into_inner).len() <= 1, "what nobody holds is forgotten");
    }
}
