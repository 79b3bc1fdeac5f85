//! Whose a token is, remembered, so that a call does not cost a look into the database for it.
//!
//! What is remembered is forgotten when the event log says that a token was revoked, here or on another server, and is not used while this
//! server cannot read that log.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sprout_domain::Timestamp;
use tokio::time::Instant;

use crate::ports::TokenInfo;

/// Tokens remembered at most; whoever tries many must not fill the memory.
const MOST: usize = 10_000;
/// The event log was read this recently, or nothing is taken from here.
const FRESH: Duration = Duration::from_secs(3);

/// Tokens by their hash.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: Mutex<HashMap<String, Known>>,
    /// Rises with each revocation: what was read before one must not be written down after it.
    revocations: AtomicU64,
    read_at: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Known {
    info: TokenInfo,
    until: Option<Instant>,
}

impl Tokens {
    /// Whose it is, if that is known and the token has not expired.
    pub(crate) fn get(&self, hash: &str) -> Option<TokenInfo> {
        let read_at = (*self.read_at.lock().unwrap_or_else(PoisonError::into_inner))?;
        let now = Instant::now();
        if now - read_at > FRESH {
            return None;
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(hash)?;
        found.until.is_none_or(|until| now < until).then(|| found.info.clone())
    }

    /// To be taken before the token is read from the database.
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::SeqCst)
    }

    /// Remembers a token read at `now` by the database's clock, unless one was revoked since.
    pub(crate) fn put(&self, hash: String, info: &TokenInfo, now: Timestamp, revocations: u64) {
        let left = info.expires_at.map(|at| (at - now).to_std().unwrap_or_default());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if self.revocations() != revocations {
            return;
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(hash, Known { info: info.clone(), until: left.map(|left| Instant::now() + left) });
    }

    /// The event log was read to its end just now.
    pub(crate) fn log_read(&self) {
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// A token was revoked; which one does not matter, it is rare.
    pub(crate) fn revoked(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.revocations.fetch_add(1, Ordering::SeqCst);
        known.clear();
    }
}

#[cfg(test)]
mod tests {
    use sprout_domain::user::Principal;

    use super::*;

    fn info(expires_at: Option<Timestamp>) -> TokenInfo {
        TokenInfo { principal: Principal::Worker("w".into()), expires_at }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_known_until_it_ends_is_revoked_or_the_log_is_out_of_reach() {
        let tokens = Tokens::default();
        let now = Timestamp::UNIX_EPOCH;
        tokens.put("a".into(), &info(None), now, tokens.revocations());
        assert!(tokens.get("a").is_none(), "nothing is known of the log yet");
        tokens.log_read();
        assert_eq!(tokens.get("a"), Some(info(None)));
        tokio::time::advance(FRESH * 2).await;
        assert!(tokens.get("a").is_none());
        tokens.log_read();
        let soon = info(Some(now + Duration::from_secs(1)));
        tokens.put("b".into(), &soon, now, tokens.revocations());
        assert_eq!(tokens.get("b"), Some(soon));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(tokens.get("b").is_none() && tokens.get("a").is_some());
        let before = tokens.revocations();
        tokens.revoked();
        tokens.put("c".into(), &info(None), now, before);
        assert!(tokens.get("a").is_none() && tokens.get("c").is_none(), "read before, written down after");
    }
}
