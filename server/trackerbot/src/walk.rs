//! From page to page.

use std::{collections::HashSet, error::Error as _};

use reqwest::{Client, StatusCode, Url};
use sprout_domain::catalogue_sync::Listing;
use tokio::time::{sleep, timeout};

use crate::{
    Limits,
    decode::{self, Page},
};

/// Where templates are listed, below the URL of a trackerbot.
const PATH: &str = "api/providertemplate/";
/// Templates of a page that are asked for.
const QUERY: &str = "limit=100";

/// Why a page is not there, and whether another try may help.
struct Failure {
    message: String,
    again: bool,
}

impl Failure {
    fn for_good(message: impl Into<String>) -> Self {
        Self { message: message.into(), again: false }
    }

    fn for_now(message: impl Into<String>) -> Self {
        Self { message: message.into(), again: true }
    }
}

/// Who walks.
pub(crate) struct Walk<'a> {
    pub(crate) client: &'a Client,
    /// Says with each page who asks.
    pub(crate) is_named: bool,
}

/// Reads all pages into the listing; the error says why it ended before the last.
pub(crate) async fn walk(walk: &Walk<'_>, base: &str, limits: &Limits, listing: &mut Listing) -> Result<(), String> {
    let late = || format!("it was not read to its end within {} s", limits.whole.as_secs());
    timeout(limits.whole, pages(walk, base, limits, listing)).await.unwrap_or_else(|_| Err(late()))
}

async fn pages(walk: &Walk<'_>, base: &str, limits: &Limits, listing: &mut Listing) -> Result<(), String> {
    let mut first = Url::parse(&format!("{}/{PATH}", base.trim_end_matches('/')))
        .map_err(|e| format!("{base:?} is no URL: {e}"))?;
    first.set_query(Some(QUERY));
    let mut url = first.clone();
    let mut seen = HashSet::new();
    let (mut count, mut total) = (0, None);
    for number in 1..=limits.pages {
        if !seen.insert(url.clone()) {
            return Err(format!("page {number} would be one that was read already ({url}): it never ends"));
        }
        let page = twice(walk, &url, limits).await.map_err(|failure| format!("page {number}: {}", failure.message))?;
        count += page.count;
        total = page.total.or(total);
        listing.listed.extend(page.listed);
        listing.problems.extend(page.problems.into_iter().map(|problem| decode::on_page(problem, number)));
        let Some(next) = page.next else {
            return match total {
                Some(total) if total != count => Err(format!("it says that it lists {total}, and listed {count}")),
                _ => Ok(()),
            };
        };
        if page.count == 0 {
            return Err(format!("page {number} is empty, and names a next one: it never ends"));
        }
        url = following(&first, &next).map_err(|error| format!("page {number}: {error}"))?;
    }
    Err(format!("it has more than {} pages", limits.pages))
}

/// The next page, which must be one of the same list: whoever answers does not choose whom we ask.
fn following(first: &Url, next: &str) -> Result<Url, String> {
    let there = first.join(next).map_err(|error| format!("its next page {next:?} is no URL: {error}"))?;
    // Behind a proxy that serves it below a path of its own, it does not know of that path.
    let same = there.origin() == first.origin() && there.path().ends_with(&format!("/{PATH}"));
    if !same {
        return Err(format!("its next page is {there}, which is not of the same list; it is not followed"));
    }
    let mut url = first.clone();
    url.set_query(there.query());
    Ok(url)
}

/// A page, with a second try where that may help.
async fn twice(walk: &Walk<'_>, url: &Url, limits: &Limits) -> Result<Page, Failure> {
    match once(walk, url, limits).await {
        Err(failure) if failure.again => {
            tracing::debug!(%url, reason = failure.message, "a page could not be read; trying again");
            sleep(limits.pause).await;
            once(walk, url, limits).await
        }
        done => done,
    }
}

async fn once(walk: &Walk<'_>, url: &Url, limits: &Limits) -> Result<Page, Failure> {
    let answer = walk.client.get(url.clone()).header("accept", "application/json").send().await;
    let mut response = answer.map_err(|error| Failure::for_now(chain(&error)))?;
    let status = response.status();
    if status.is_redirection() {
        let there = response.headers().get("location").and_then(|there| there.to_str().ok()).unwrap_or("elsewhere");
        let message = format!("it redirects to {there:.200}; if that is it, configure that URL");
        return Err(Failure::for_good(message));
    }
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Err(Failure::for_good(if walk.is_named {
            format!(
                "it does not accept the credentials of this catalogue (status {status}); correct them in credentials.yaml"
            )
        } else {
            format!("it wants to know who asks (status {status}); give the catalogue `credentials` in sprout.yaml")
        }));
    }
    if status != StatusCode::OK {
        let message = format!("it answers with status {status}");
        return Err(Failure { message, again: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::for_now(chain(&error)))? {
        if body.len() + chunk.len() > limits.bytes {
            return Err(Failure::for_good(format!("it is larger than {} bytes", limits.bytes)));
        }
        body.extend_from_slice(&chunk);
    }
    decode::page(&body).map_err(Failure::for_now)
}

/// An error with what caused it; it must read the same each time.
fn chain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let message = if error.is_connect() { "it cannot be reached" } else { "its answer was cut off" };
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| message.to_owned(), |cause| format!("{message}: {cause}"))
}
