//! Who is at the other end, whether anyone could listen on the way there, and whether a page of ours is asking.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::{
    HeaderMap, HeaderValue, Uri,
    header::{HOST, ORIGIN},
    uri::Authority,
};

use crate::client::Client;

/// What is believed of connections.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    /// The gateway itself speaks TLS.
    pub(crate) tls: bool,
    /// Proxies that are believed what they say of the client, beside those of this machine.
    pub(crate) proxies: Arc<[IpAddr]>,
    /// Secrets may travel in the clear.
    pub(crate) plain: bool,
    /// What the server knows this gateway by, if by more than its address.
    pub(crate) proof: Option<HeaderValue>,
}

impl Trust {
    /// A secret that came this way was not readable on the way: it came by TLS, also up to a proxy that is believed, or from this machine.
    pub(crate) fn may_carry_secrets(&self, peer: SocketAddr, headers: &HeaderMap) -> bool {
        if self.tls || self.plain {
            return true;
        }
        self.said_scheme(peer, headers)
            .map_or(peer.ip().to_canonical().is_loopback(), |scheme| scheme.eq_ignore_ascii_case("https"))
    }

    /// The browser speaks TLS, with the gateway or with a proxy that is believed.
    pub(crate) fn is_encrypted(&self, peer: SocketAddr, headers: &HeaderMap) -> bool {
        self.tls || self.said_scheme(peer, headers).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
    }

    /// Who is calling, to be told to the server.
    pub(crate) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> Client {
        Client { address: self.address(peer, headers), proof: self.proof.clone() }
    }

    /// The address of who is calling: of the last one on the way that is not a proxy to be believed.
    fn address(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip().to_canonical();
        let said: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
        let hops = said.join(",");
        for hop in hops.rsplit(',').map(str::trim).filter(|hop| !hop.is_empty()) {
            // Beyond someone who is not believed, or what is no address, anything may be claimed.
            let (true, Some(next)) = (self.believes(client), read(hop)) else { break };
            client = next;
        }
        client
    }

    fn said_scheme<'a>(&self, peer: SocketAddr, headers: &'a HeaderMap) -> Option<&'a str> {
        let said = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        said.filter(|_| self.believes(peer.ip().to_canonical()))
    }

    fn believes(&self, peer: IpAddr) -> bool {
        peer.is_loopback() || self.proxies.contains(&peer)
    }
}

/// An address as proxies write it: some add the port.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let ip = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    ip.map(|ip| ip.to_canonical())
}

/// A page of ours is asking, or a program that says what such a page would: the origin, which browsers add to everything but plain reads and no
/// page can change, is the host that was called. Else what was wrong.
pub(crate) fn same_origin(uri: &Uri, headers: &HeaderMap, encrypted: bool) -> Result<(), String> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(|| Some(uri.authority()?.as_str()));
    let Some(host) = host else { return Err("the request names no host".to_owned()) };
    let mut origins = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return Err(format!(
            "the request has no Origin header, which browsers send; a program sends the gateway's own URL, such as https://{host}"
        ));
    };
    let parsed = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let same = parsed.as_ref().is_some_and(|origin| {
        let default = match origin.scheme_str() {
            Some("https") => 443,
            Some("http") if !encrypted => 80,
            _ => return false,
        };
        match (origin.authority(), host.parse::<Authority>()) {
            (Some(origin), Ok(host)) => place(origin, default) == place(&host, default),
            _ => false,
        }
    });
    if same {
        return Ok(());
    }
    Err(format!(
        "the request comes from a page of {origin:?}, and this is {host}; open the page here, or have the proxy between pass the Host header on"
    ))
}

fn place(authority: &Authority, default: u16) -> (String, u16) {
    (authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: [u8; 4] = [192, 0, 2, 1];

    fn trust() -> Trust {
        Trust { tls: false, proxies: [IpAddr::from(PROXY)].into(), plain: false, proof: None }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn passwords_come_by_tls_or_from_here() {
        let trust = trust();
        let may = |trust: &Trust, peer: [u8; 4], scheme: Option<&str>| {
            let said: Vec<_> = scheme.iter().map(|scheme| ("x-forwarded-proto", *scheme)).collect();
            trust.may_carry_secrets((peer, 1).into(), &headers(&said))
        };
        for (peer, scheme, expected) in [
            ([127, 0, 0, 1], None, true),
            ([127, 0, 0, 1], Some("https"), true),
            // A proxy on this machine that was called in the clear says so.
            ([127, 0, 0, 1], Some("http"), false),
            (PROXY, Some("https"), true),
            (PROXY, Some("http"), false),
            (PROXY, None, false),
            // Anyone can say anything.
            ([192, 0, 2, 2], Some("https"), false),
        ] {
            assert_eq!(may(&trust, peer, scheme), expected, "{peer:?} {scheme:?}");
            assert!(may(&Trust { tls: true, ..trust.clone() }, peer, scheme));
            assert!(may(&Trust { plain: true, ..trust.clone() }, peer, scheme));
        }
    }

    #[test]
    fn only_the_browser_s_own_tls_counts() {
        let https = headers(&[("x-forwarded-proto", "https")]);
        let trust = trust();
        assert!(trust.is_encrypted((PROXY, 1).into(), &https));
        assert!(!trust.is_encrypted(([192, 0, 2, 2], 1).into(), &https));
        assert!(!trust.is_encrypted(([127, 0, 0, 1], 1).into(), &HeaderMap::new()));
        assert!(!Trust { plain: true, ..trust.clone() }.is_encrypted((PROXY, 1).into(), &HeaderMap::new()));
        assert!(Trust { tls: true, ..trust }.is_encrypted(([192, 0, 2, 2], 1).into(), &HeaderMap::new()));
    }

    #[test]
    fn the_client_is_the_last_one_who_is_not_believed() {
        let client = |peer: [u8; 4], said: &[&str]| {
            let said: Vec<_> = said.iter().map(|said| ("x-forwarded-for", *said)).collect();
            trust().client((peer, 1).into(), &headers(&said)).address.to_string()
        };
        let local = [127, 0, 0, 1];
        assert_eq!(client([198, 51, 100, 9], &["203.0.113.1"]), "198.51.100.9", "a stranger claims something");
        assert_eq!(client(PROXY, &[]), "192.0.2.1");
        assert_eq!(client(PROXY, &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(
            client(local, &["1.1.1.1, 203.0.113.1", "192.0.2.1"]),
            "203.0.113.1",
            "what it claimed itself is left"
        );
        assert_eq!(client(local, &["nonsense"]), "127.0.0.1");
        assert_eq!(client(local, &["203.0.113.1, nonsense, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(client(local, &["203.0.113.1:4711"]), "203.0.113.1");
        assert_eq!(client(local, &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client(local, &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn the_origin_is_the_host() {
        let asked = |host: Option<&str>, origin: &[&str], encrypted: bool| {
            let mut pairs: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
            pairs.extend(host.map(|host| ("host", host)));
            same_origin(&"/session".parse().unwrap(), &headers(&pairs), encrypted)
        };
        for (host, origin, encrypted) in [
            ("127.0.0.1:7680", "http://127.0.0.1:7680", false),
            ("sprout.example", "https://sprout.example", true),
            ("Sprout.example:443", "https://sprout.example", true),
            // Behind a proxy that does not say that it speaks TLS.
            ("sprout.example", "https://sprout.example", false),
            ("[::1]:7680", "http://[::1]:7680", false),
        ] {
            assert_eq!(asked(Some(host), &[origin], encrypted), Ok(()), "{host} {origin}");
        }
        for (host, origin, encrypted) in [
            (Some("127.0.0.1:7680"), vec!["http://127.0.0.1:7681"], false),
            (Some("sprout.example"), vec!["https://evil.example"], true),
            (Some("sprout.example"), vec!["http://sprout.example"], true),
            (Some("sprout.example"), vec!["null"], false),
            (Some("sprout.example"), vec![""], false),
            (Some("sprout.example"), vec!["sprout.example"], false),
            (Some("sprout.example"), vec!["https://sprout.example", "https://sprout.example"], true),
            (Some("sprout.example"), vec![], false),
            (Some("sprout.example"), vec!["https://sprout.example.evil.example"], false),
            (None, vec!["https://sprout.example"], false),
        ] {
            assert!(asked(host, &origin, encrypted).is_err(), "{host:?} {origin:?}");
        }
        let uri = "https://sprout.example/session".parse().unwrap();
        let of = |origin| same_origin(&uri, &headers(&[("origin", origin)]), true);
        assert_eq!(of("https://sprout.example"), Ok(()), "HTTP/2 has the host in the address");
        assert!(of("https://evil.example").is_err());
    }
}
