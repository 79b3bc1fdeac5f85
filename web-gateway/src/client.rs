//! Calls of the server that tell it for whom they are made: it limits wrong passwords by address, and writes down who changed what from where. It
//! believes that from gateways it knows (`server.trusted_proxies`).

use std::net::IpAddr;

use axum::http::HeaderValue;
use tonic::{Request, metadata::MetadataValue};

/// The header.
pub(crate) const FORWARDED_FOR: &str = "x-forwarded-for";

/// A request made for whoever calls from this address.
pub(crate) fn from<T>(message: T, client: IpAddr) -> Request<T> {
    let mut request = Request::new(message);
    if let Ok(value) = MetadataValue::try_from(client.to_string()) {
        request.metadata_mut().insert(FORWARDED_FOR, value);
    }
    request
}

/// The same as a header's value.
pub(crate) fn value(client: IpAddr) -> Option<HeaderValue> {
    HeaderValue::try_from(client.to_string()).ok()
}
