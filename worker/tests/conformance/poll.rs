//! Waiting for something to become true: looks again and again, ever less often, until a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Calls `look` until it gives something; panics with `what` after `limit`.
pub(crate) async fn until<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + limit;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < give_up, "not within {} s: {what}", limit.as_secs());
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}
