//! Reads trackerbots behind the `Listings` port: a REST API (tastypie) that lists, page by page, which template is on which provider, and whether it may
//! be used.
//!
//! Whatever one answers, it is bounded in time, size and pages, and only what it says itself is followed: no redirects, no pages elsewhere. What was
//! right up to where it went wrong is there.

mod decode;
mod walk;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{
    Certificate, Client,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
    redirect::Policy,
};
use sprout_app::ports::Listings;
use sprout_domain::{catalogue::Source, catalogue_sync::Listing};

/// Bounds of a reading.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Until a connection is there.
    pub connect: Duration,
    /// Until a page is there.
    pub page: Duration,
    /// Until all of it is there.
    pub whole: Duration,
    /// Between a page that failed and another try.
    pub pause: Duration,
    /// Bytes of a page.
    pub bytes: usize,
    /// Pages.
    pub pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            page: Duration::from_secs(15),
            whole: Duration::from_secs(35),
            pause: Duration::from_millis(500),
            bytes: 4 << 20,
            pages: 1000,
        }
    }
}

/// Reads trackerbots.
#[derive(Debug, Clone, Default)]
pub struct Trackerbots {
    /// Bounds of each reading.
    pub limits: Limits,
}

#[async_trait]
impl Listings for Trackerbots {
    async fn read(&self, source: &Source) -> Listing {
        let mut listing = Listing::default();
        let read = async {
            let client = client(source, &self.limits)?;
            let walk = walk::Walk { client: &client, is_named: !source.authorization.expose().is_empty() };
            walk::walk(&walk, &source.url, &self.limits, &mut listing).await
        };
        if let Err(failure) = read.await {
            listing.failure = failure;
        }
        listing
    }
}

/// One for each reading: between two of them connections would be closed anyway, and certificates may change.
fn client(source: &Source, limits: &Limits) -> Result<Client, String> {
    // An error means that the process has chosen one already, which does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("sprout-server/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(limits.connect)
        .timeout(limits.page);
    if !source.authorization.expose().is_empty() {
        let mut shown = HeaderValue::from_str(source.authorization.expose()).map_err(|_| {
            "the credentials of this catalogue hold what no header can, such as a line break".to_owned()
        })?;
        shown.set_sensitive(true);
        builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, shown)]));
    }
    if !source.ca_pem.is_empty() {
        let certificates = Certificate::from_pem_bundle(source.ca_pem.as_bytes());
        for certificate in
            certificates.map_err(|error| format!("the certificates of its `ca` cannot be used: {error}"))?
        {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| format!("the HTTP client cannot be set up: {error}"))
}
