//! Slows the guessing of passwords: so many wrong ones in a minute, by name and address and by address alone.
//!
//! An attempt counts from when it begins until it turns out to be right, so that many at once get no further than one after the other. Names that do
//! not exist count like those that do.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use moka::sync::Cache;
use sprout_domain::{Error, Reason, Result};

/// From the first wrong one until they are forgotten.
const WINDOW: Duration = Duration::from_secs(60);
/// Wrong ones of one name from one address.
const OF_NAME: u32 = 10;
/// Wrong ones from one address.
const OF_PEER: u32 = 30;
/// Names with addresses, and addresses, remembered at most.
const MOST: u64 = 10_000;
/// Longer names do not exist.
const LONGEST_NAME: usize = 64;

/// Attempts of the last minute.
#[derive(Clone)]
pub(crate) struct Guesses {
    window: Duration,
    of_name: Cache<(String, IpAddr), Arc<Count>>,
    of_peer: Cache<IpAddr, Arc<Count>>,
}

struct Count {
    began: Instant,
    wrong: AtomicU32,
}

/// An attempt under way. Dropped, it was wrong.
pub(crate) struct Attempt([Arc<Count>; 2]);

impl Attempt {
    /// It was right, and does not count.
    pub(crate) fn succeeded(self) {
        for count in &self.0 {
            count.wrong.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Default for Guesses {
    fn default() -> Self {
        Self::within(WINDOW)
    }
}

impl Guesses {
    fn within(window: Duration) -> Self {
        fn cache<K: std::hash::Hash + Eq + Send + Sync + 'static>(window: Duration) -> Cache<K, Arc<Count>> {
            Cache::builder().max_capacity(MOST).time_to_live(window).build()
        }
        Self { window, of_name: cache(window), of_peer: cache(window) }
    }

    /// Begins an attempt, unless too many were wrong; then says when to come back.
    pub(crate) fn begin(&self, name: &str, peer: Option<IpAddr>) -> Result<Attempt> {
        let peer = network(peer.unwrap_or(Ipv6Addr::UNSPECIFIED.into()));
        let name = name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or_default().to_owned();
        let fresh = || Arc::new(Count { began: Instant::now(), wrong: AtomicU32::new(0) });
        let counts = [self.of_name.get_with((name, peer), fresh), self.of_peer.get_with(peer, fresh)];
        for (at, (count, most)) in counts.iter().zip([OF_NAME, OF_PEER]).enumerate() {
            if count.wrong.fetch_add(1, Ordering::SeqCst) >= most {
                // What is refused is no attempt, or whoever goes on trying would never be let in again.
                for count in &counts[..=at] {
                    count.wrong.fetch_sub(1, Ordering::SeqCst);
                }
                return Err(too_many(self.window.saturating_sub(count.began.elapsed())));
            }
        }
        Ok(Attempt(counts))
    }
}

/// Who has one address of version 6 has a network of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn too_many(left: Duration) -> Error {
    let seconds = left.as_secs() + 1;
    let message = format!("too many wrong passwords were tried; wait {seconds} s, then try again");
    Error::new(Reason::TooManyAttempts, message).with("retry_seconds", seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as it comes")]
    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn wrong_ones_count_by_name_and_address() {
        let guesses = Guesses::default();
        for _ in 0..OF_NAME {
            assert!(guesses.begin("ann", from(1)).is_ok());
        }
        let refused = guesses.begin("ann", from(1)).err().unwrap();
        assert_eq!(refused.reason, Reason::TooManyAttempts);
        let seconds: u64 = refused.metadata[0].1.parse().unwrap();
        assert!((1..=61).contains(&seconds), "{refused:?}");
        assert!(guesses.begin("ann", from(2)).is_ok() && guesses.begin("ben", from(1)).is_ok());
    }

    #[test]
    fn wrong_ones_count_by_address_whatever_the_name() {
        let guesses = Guesses::default();
        let let_in = (0..100).filter(|n| guesses.begin(&format!("name{n}"), from(1)).is_ok()).count();
        assert_eq!(let_in, OF_PEER as usize);
        assert!(guesses.begin("ann", from(2)).is_ok());
    }

    #[test]
    fn right_ones_do_not_count_and_those_under_way_do() {
        let guesses = Guesses::default();
        for _ in 0..100 {
            guesses.begin("ann", from(1)).unwrap().succeeded();
        }
        let under_way: Vec<_> = (0..OF_NAME).map(|_| guesses.begin("ann", from(1)).unwrap()).collect();
        assert!(guesses.begin("ann", from(1)).is_err());
        under_way.into_iter().for_each(Attempt::succeeded);
        assert!(guesses.begin("ann", from(1)).is_ok());
    }

    #[test]
    fn they_are_forgotten_after_a_while() {
        let guesses = Guesses::within(Duration::from_millis(20));
        while guesses.begin("ann", from(1)).is_ok() {}
        while guesses.begin("ann", from(1)).is_err() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn neighbours_of_version_6_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
