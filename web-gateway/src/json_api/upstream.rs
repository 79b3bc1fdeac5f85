//! Ways to ask the server that several methods share.

use sprout_client::{ClientError, retry};

/// All pages of a list: `page` gets a page token and returns what is on the page and the token of the next one.
pub(super) async fn all_pages<T, F>(page: impl Fn(String) -> F) -> Result<Vec<T>, ClientError>
where
    F: Future<Output = Result<(Vec<T>, String), ClientError>>,
{
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (found, next) = retry(|| page(token.clone())).await?;
        all.extend(found);
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
}

/// So many minutes.
pub(super) fn minutes(count: u32) -> prost_types::Duration {
    prost_types::Duration { seconds: i64::from(count) * 60, nanos: 0 }
}
