//! For whom the server is called: it limits wrong passwords by address, and writes down who changed what from where. It believes that from gateways
//! it knows: by their address (`server.trusted_proxies`), or by a proof where both are one process.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tonic::{Request, metadata::MetadataMap};

/// Where the address is told.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Where the proof is shown.
const PROOF: HeaderName = HeaderName::from_static("sprout-gateway-proof");

/// Someone who calls the gateway.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// From here.
    pub(crate) address: IpAddr,
    /// What the server knows this gateway by.
    pub(crate) proof: Option<HeaderValue>,
}

impl Client {
    /// Says it with a call.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        headers.extend(HeaderValue::try_from(self.address.to_string()).map(|value| (FORWARDED_FOR, value)));
        headers.extend(self.proof.clone().map(|proof| (PROOF, proof)));
    }

    /// A call made for this client.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let (mut request, mut headers) = (Request::new(message), HeaderMap::new());
        self.tell(&mut headers);
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        request
    }
}
