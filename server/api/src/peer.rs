//! From where a call comes: the address at the other end of the connection, or the one that somebody tells who is believed to pass on the calls of
//! others. Wrong passwords are counted by it, and it is in the audit log, so that nobody else may choose it.

use std::net::{IpAddr, SocketAddr};

use http::{Extensions, HeaderMap};
use sprout_domain::Secret;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

/// Where they tell it.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Where a gateway in this process shows that it is.
const PROOF: &str = "sprout-gateway-proof";

/// Who is believed: proxies and web gateways.
#[derive(Debug, Clone, Default)]
pub struct Forwarders {
    /// By their addresses. None is believed for being on this machine: others here could call as well, and a proxy that knows nothing of this would
    /// pass on what its clients made up.
    pub addresses: Vec<IpAddr>,
    /// The one in this process, by what nobody else knows.
    pub proof: Option<Secret>,
}

/// The address a call comes from, kept in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Forwarders {
    /// The address a call comes from, if it is known.
    pub(crate) fn peer(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let next = connected(extensions).map(|peer| peer.ip().to_canonical());
        let listed = next.is_some_and(|peer| self.addresses.iter().any(|known| known.to_canonical() == peer));
        if !listed && !self.is_proven(headers) {
            return next;
        }
        // What is last was added by who is believed; what is before it came to them from elsewhere.
        let said = headers.get_all(FORWARDED_FOR).iter().next_back();
        let hop = said.and_then(|value| value.to_str().ok()).and_then(|hops| hops.rsplit(',').next());
        hop.and_then(|hop| hop.trim().parse().ok()).map(|said: IpAddr| said.to_canonical()).or(next)
    }

    fn is_proven(&self, headers: &HeaderMap) -> bool {
        let (Some(proof), Some(shown)) = (&self.proof, headers.get(PROOF)) else { return false };
        let (proof, shown) = (proof.expose().as_bytes(), shown.as_bytes());
        // In the same time, however much of it is right.
        proof.len() == shown.len() && proof.iter().zip(shown).fold(0, |wrong, (a, b)| wrong | (a ^ b)) == 0
    }
}

fn connected(extensions: &Extensions) -> Option<SocketAddr> {
    let tls = || extensions.get::<TlsConnectInfo<TcpConnectInfo>>().map(TlsConnectInfo::get_ref);
    extensions.get::<TcpConnectInfo>().or_else(tls)?.remote_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(forwarders: &Forwarders, connected: [u8; 4], said: &[(&'static str, &str)]) -> String {
        let mut extensions = Extensions::new();
        let remote_addr = Some((connected, 1).into());
        extensions.insert(TcpConnectInfo { local_addr: None, remote_addr });
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(*name, value.parse().unwrap());
        }
        forwarders.peer(&extensions, &headers).unwrap().to_string()
    }

    #[test]
    fn only_who_is_believed_tells_for_whom_it_calls() {
        let gateway = [192, 0, 2, 1];
        let known = Forwarders { addresses: vec![gateway.into()], proof: Some(Secret::new("s3cret")) };
        let said = ("x-forwarded-for", "203.0.113.7");
        assert_eq!(peer(&known, gateway, &[said]), "203.0.113.7");
        assert_eq!(peer(&known, gateway, &[]), "192.0.2.1");
        assert_eq!(peer(&known, gateway, &[("x-forwarded-for", "nonsense")]), "192.0.2.1");
        assert_eq!(peer(&known, gateway, &[("x-forwarded-for", "1.1.1.1, 203.0.113.7")]), "203.0.113.7");
        assert_eq!(peer(&known, gateway, &[("x-forwarded-for", "1.1.1.1"), said]), "203.0.113.7");
        assert_eq!(peer(&known, gateway, &[("x-forwarded-for", "::ffff:203.0.113.7")]), "203.0.113.7");
        let here = [127, 0, 0, 1];
        assert_eq!(peer(&known, here, &[said]), "127.0.0.1", "others are on this machine, too");
        assert_eq!(peer(&known, here, &[said, ("sprout-gateway-proof", "s3cret")]), "203.0.113.7");
        for wrong in ["", "s3cres", "s3crett"] {
            assert_eq!(peer(&known, here, &[said, ("sprout-gateway-proof", wrong)]), "127.0.0.1");
        }
        assert_eq!(peer(&Forwarders::default(), here, &[said, ("sprout-gateway-proof", "")]), "127.0.0.1");
    }
}
