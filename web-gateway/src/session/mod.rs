//! Signed-in browsers. The gateway keeps nothing of them: the token is in the cookie, sealed with a key that all gateways of an installation share, so
//! that any of them, and the next one after a restart, knows them again.

mod api;
mod cookie;
mod key;
mod refusal;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::http::{HeaderMap, HeaderValue, header::SET_COOKIE};
use sprout_client::Connection;
use sprout_conf::Secret;

use self::cookie::{Sealer, Session};
pub(crate) use self::{api::routes, key::session_key};
use crate::{client::Client, trust::Trust};

/// Sessions of this installation.
#[derive(Clone)]
pub(crate) struct Sessions {
    /// The server, without a token.
    pub(crate) server: Connection,
    /// What is believed of browsers and proxies.
    pub(crate) trust: Trust,
    sealer: Arc<Sealer>,
    idle: Duration,
    lifetime: Duration,
}

/// A browser that is signed in, and from where it calls.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    session: Session,
    client: Client,
}

impl Known {
    /// The token of its user.
    pub(crate) fn token(&self) -> &Secret {
        &self.session.token
    }

    /// From where it calls.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

impl Sessions {
    /// Sessions that are sealed with this key, end when they are not used for `idle`, and at the latest after `lifetime`.
    pub(crate) fn new(server: Connection, trust: Trust, key: &Secret, idle: Duration, lifetime: Duration) -> Self {
        Self { server, trust, sealer: Arc::new(Sealer::new(key)), idle, lifetime }
    }

    /// Who is signed in, as far as the cookie tells; whether the token still works, only the server knows.
    pub(crate) fn find(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<Known> {
        let now = now();
        let opened =
            cookie::sent(headers, self.trust.is_encrypted(peer, headers)).filter_map(|text| self.sealer.open(text));
        let mut alive = opened.filter(|session| session.idle_until > now && session.expires_at > now);
        alive.next().map(|session| Known { session, client: self.trust.client(peer, headers) })
    }

    /// The server, called with the session's token from the browser's address.
    pub(crate) fn connection(&self, known: &Known) -> Result<Connection, sprout_client::ClientError> {
        self.server.with_token(known.token())
    }

    /// The header that begins a session.
    pub(crate) fn begin(&self, token: Secret, expires_at: u64, encrypted: bool) -> Option<HeaderValue> {
        self.cookie(Session { token, expires_at, idle_until: 0 }, encrypted)
    }

    /// Prolongs a session that is used; now and then is enough.
    pub(crate) fn prolong(&self, known: &Known, encrypted: bool, headers: &mut HeaderMap) {
        let left = Duration::from_secs(known.session.idle_until.saturating_sub(now()));
        if left < self.idle / 16 * 15
            && let Some(value) = self.cookie(known.session.clone(), encrypted)
        {
            headers.append(SET_COOKIE, value);
        }
    }

    fn cookie(&self, session: Session, encrypted: bool) -> Option<HeaderValue> {
        let now = now();
        let idle_until = session.expires_at.min(now.saturating_add(self.idle.as_secs()));
        let text = self.sealer.seal(&Session { idle_until, ..session })?;
        cookie::set(&text, Duration::from_secs(idle_until.saturating_sub(now)), encrypted)
    }
}

/// Seconds since 1970, by this machine's clock: a minute more or less does not matter to sessions.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;
    use sprout_client::Settings;

    use super::*;

    const HERE: ([u8; 4], u16) = ([127, 0, 0, 1], 1);

    fn sessions(idle: u64) -> Sessions {
        let server = Connection::open(Settings::new("http://127.0.0.1:1")).unwrap();
        let trust = Trust { tls: false, proxies: Vec::new().into(), plain: false, proof: None };
        let seconds = Duration::from_secs;
        Sessions::new(server, trust, &Secret::from("k".repeat(32)), seconds(idle), seconds(7 * 24 * 3600))
    }

    fn sent(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        HeaderMap::from_iter([(COOKIE, pair.parse().unwrap())])
    }

    #[tokio::test]
    async fn any_gateway_with_the_key_knows_a_session_until_it_ends() {
        let (one, other) = (sessions(3600), sessions(3600));
        let token = Secret::from("spr_x".to_owned());
        let cookie = one.begin(token.clone(), now() + 10_000, false).unwrap();
        assert!(cookie.to_str().unwrap().contains("Max-Age=36"), "{cookie:?}");
        let headers = sent(&cookie);
        let known = other.find(HERE.into(), &headers).unwrap();
        assert_eq!((known.token(), known.client().address.to_string()), (&token, "127.0.0.1".to_owned()));
        let mut answer = HeaderMap::new();
        other.prolong(&known, false, &mut answer);
        assert!(answer.is_empty(), "it has just begun");
        // Over TLS it has another name, which others cannot set.
        let mut encrypted = headers.clone();
        encrypted.insert("x-forwarded-proto", "https".parse().unwrap());
        assert!(other.find(HERE.into(), &encrypted).is_none());
        let ended = one.begin(token, now(), false).unwrap();
        assert!(other.find(HERE.into(), &sent(&ended)).is_none());
        assert!(other.find(HERE.into(), &HeaderMap::new()).is_none());
    }

    #[tokio::test]
    async fn a_session_ends_when_it_is_not_used_and_no_use_makes_it_outlive_its_token() {
        let token = Secret::from("spr_x".to_owned());
        let unused = sessions(0).begin(token.clone(), now() + 10_000, false).unwrap();
        assert!(sessions(3600).find(HERE.into(), &sent(&unused)).is_none());
        let long = sessions(7200);
        let begun = sessions(3600).begin(token.clone(), now() + 10_000, false).unwrap();
        let known = long.find(HERE.into(), &sent(&begun)).unwrap();
        let mut answer = HeaderMap::new();
        long.prolong(&known, false, &mut answer);
        let prolonged = long.find(HERE.into(), &sent(&answer[SET_COOKIE])).unwrap();
        assert!(prolonged.session.idle_until > known.session.idle_until + 3000);
        assert_eq!(prolonged.session.expires_at, known.session.expires_at);
        let soon = long.begin(token, now() + 100, false).unwrap();
        let known = long.find(HERE.into(), &sent(&soon)).unwrap();
        assert_eq!(known.session.idle_until, known.session.expires_at);
    }
}
