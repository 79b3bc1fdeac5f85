//! Who is at the other end, and whether anyone could listen on the way there.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::HeaderMap;

/// What is believed of connections.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    /// The gateway itself speaks TLS.
    pub(crate) tls: bool,
    /// Proxies that are believed what they say of the client, beside those of this machine.
    pub(crate) proxies: Arc<[IpAddr]>,
    /// Secrets may travel in the clear.
    pub(crate) plain: bool,
}

impl Trust {
    /// A secret that came this way was not readable on the way: it came by TLS, also up to a proxy that is believed, or from this machine.
    pub(crate) fn may_carry_secrets(&self, peer: SocketAddr, headers: &HeaderMap) -> bool {
        let peer = peer.ip().to_canonical();
        if self.tls || self.plain {
            return true;
        }
        let said = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        match said {
            Some(scheme) if self.believes(peer) => scheme.eq_ignore_ascii_case("https"),
            _ => peer.is_loopback(),
        }
    }

    fn believes(&self, peer: IpAddr) -> bool {
        peer.is_loopback() || self.proxies.contains(&peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_come_by_tls_or_from_here() {
        let proxies: Arc<[IpAddr]> = [IpAddr::from([192, 0, 2, 1])].into();
        let trust = Trust { tls: false, proxies, plain: false };
        let may = |trust: &Trust, peer: [u8; 4], scheme: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(scheme) = scheme {
                headers.insert("x-forwarded-proto", scheme.parse().unwrap());
            }
            trust.may_carry_secrets((peer, 1).into(), &headers)
        };
        for (peer, scheme, expected) in [
            ([127, 0, 0, 1], None, true),
            ([127, 0, 0, 1], Some("https"), true),
            // A proxy on this machine that was called in the clear says so.
            ([127, 0, 0, 1], Some("http"), false),
            ([192, 0, 2, 1], Some("https"), true),
            ([192, 0, 2, 1], Some("http"), false),
            ([192, 0, 2, 1], None, false),
            // Anyone can say anything.
            ([192, 0, 2, 2], Some("https"), false),
        ] {
            assert_eq!(may(&trust, peer, scheme), expected, "{peer:?} {scheme:?}");
            assert!(may(&Trust { tls: true, ..trust.clone() }, peer, scheme));
            assert!(may(&Trust { plain: true, ..trust.clone() }, peer, scheme));
        }
    }
}
