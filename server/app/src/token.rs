//! Whose a token is, remembered, so that a call does not cost a look into the database for it.
//!
//! What is remembered is forgotten when the event log says that a token was revoked, here or on another server, and is not used while this
//! server cannot read that log.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sprout_domain::{Timestamp, user::Principal};
use tokio::{sync::watch, time::Instant};

use crate::ports::TokenInfo;

/// Tokens remembered at most; whoever tries many must not fill the memory.
const MOST: usize = 10_000;
/// The event log was read this recently, or nothing is taken from here.
const FRESH: Duration = Duration::from_secs(3);

/// That a token is used is written down this often at most.
const TOUCHED: Duration = Duration::from_secs(5 * 60);

/// Tokens by their hash.
#[derive(Debug)]
pub(crate) struct Tokens {
    known: Mutex<HashMap<String, Known>>,
    /// Rises with each revocation: what was read before one must not be written down after it.
    revocations: watch::Sender<u64>,
    read_at: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Known {
    info: TokenInfo,
    until: Option<Instant>,
    /// From then on its use is to be written down again.
    touch_at: Instant,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { known: Mutex::default(), revocations: watch::Sender::new(0), read_at: Mutex::default() }
    }
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
        *self.revocations.borrow()
    }

    /// Remembers a token read at `now` by the database's clock, unless one was revoked since.
    pub(crate) fn put(&self, hash: String, info: &TokenInfo, now: Timestamp, revocations: u64) {
        let left = info.token.expires_at.map(|at| (at - now).to_std().unwrap_or_default());
        let rest = info
            .token
            .used_at
            .map_or(Duration::ZERO, |at| TOUCHED.saturating_sub((now - at).to_std().unwrap_or_default()));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if self.revocations() != revocations {
            return;
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(
            hash,
            Known {
                info: info.clone(),
                until: left.map(|left| Instant::now() + left),
                touch_at: Instant::now() + rest,
            },
        );
    }

    /// The event log was read to its end just now.
    pub(crate) fn log_read(&self) {
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// A token was revoked; which one does not matter, it is rare.
    pub(crate) fn revoked(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
        self.revocations.send_modify(|count| *count += 1);
    }

    /// Whether the use of a known token is to be written down; true once, and then no more for a while. That of workers is not: they are heard.
    pub(crate) fn is_to_be_touched(&self, hash: &str) -> bool {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |known: &&mut Known| known.touch_at <= now && matches!(known.info.principal, Principal::User(_));
        let Some(found) = known.get_mut(hash).filter(due) else { return false };
        found.touch_at = now + TOUCHED;
        true
    }

    /// A receiver that is marked changed by each revocation.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revocations.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use sprout_domain::{
        TokenId,
        token::{Token, TokenScope},
    };

    use super::*;

    fn info(expires_at: Option<Timestamp>) -> TokenInfo {
        let (id, created_at) = (TokenId(1), Timestamp::UNIX_EPOCH);
        let name = String::new();
        let token = Token { id, name, scope: TokenScope::Full, created_at, expires_at, used_at: None };
        TokenInfo { principal: Principal::Worker("w".into()), token }
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
