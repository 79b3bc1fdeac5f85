//! Settings of a container provider, checked once, so that a mistake in them is told before anything is created.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use sprout_proto::worker::ContainerSettings;

use crate::driver::{DriverError, Reason, Result};

/// Where the engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Socket {
    /// A Unix socket on this machine.
    Unix(PathBuf),
    /// Plain HTTP; the authority is `host:port`.
    Http(String),
}

/// How published ports are bound and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publish {
    /// Address of the engine's machine that ports are bound to.
    pub(super) bind: IpAddr,
    /// Host that users are told to connect to.
    pub(super) host: String,
}

/// Checked settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) socket: Socket,
    pub(super) publish: Publish,
    /// Memory of an appliance in MiB; `None`: no limit.
    pub(super) memory_mib: Option<u32>,
    /// CPUs of an appliance; `None`: no limit.
    pub(super) cpus: Option<u32>,
}

impl Settings {
    /// Checks what the server sent.
    pub(super) fn new(settings: &ContainerSettings) -> Result<Self> {
        let socket = Socket::parse(&settings.socket)?;
        let publish = Publish::parse(&settings.publish_address, &socket)?;
        let set = |value: u32| (value > 0).then_some(value);
        Ok(Self { socket, publish, memory_mib: set(settings.memory_mib), cpus: set(settings.cpus) })
    }
}

impl Socket {
    fn parse(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(path.into()));
        }
        let authority = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        match authority {
            Some(authority) if !authority.is_empty() && !authority.contains('/') => {
                Ok(Self::Http(authority.to_owned()))
            }
            _ => Err(invalid(format!(
                "the provider's `socket` is {text:?}; write unix:///path/to/socket or http://host:port"
            ))),
        }
    }
}

impl std::fmt::Display for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Http(authority) => write!(f, "http://{authority}"),
        }
    }
}

impl Publish {
    /// Nothing set means: where the engine itself is reached, so that nothing becomes visible further away than that.
    /// A wildcard binds every address of the engine's machine and names none: users are then told the host in `socket`,
    /// and with a Unix socket, which has none, the wildcard is refused.
    fn parse(text: &str, socket: &Socket) -> Result<Self> {
        if text.is_empty() {
            return match socket {
                Socket::Unix(_) => Ok(Self::exactly(Ipv4Addr::LOCALHOST.into())),
                Socket::Http(authority) => host_of(authority).parse().map(Self::exactly).map_err(|_| {
                    invalid(format!(
                        "the provider has no `publish_address`, and {socket} does not name an IP address; set it to the \
                         address of the engine's machine that users can reach"
                    ))
                }),
            };
        }
        let bind: IpAddr = text.parse().map_err(|_| {
            invalid(format!(
                "the provider's `publish_address` is {text:?}; write an IP address of the engine's machine"
            ))
        })?;
        match socket {
            _ if !bind.is_unspecified() => Ok(Self::exactly(bind)),
            Socket::Http(authority) => Ok(Self { bind, host: host_of(authority).to_owned() }),
            Socket::Unix(_) => Err(invalid(format!(
                "the provider's `publish_address` {text} means every address and tells users none; write the one address \
                 of this machine that they can reach"
            ))),
        }
    }

    fn exactly(bind: IpAddr) -> Self {
        Self { bind, host: bind.to_string() }
    }
}

/// The host of `host:port` or `[v6]:port`, without brackets.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

fn invalid(message: String) -> DriverError {
    DriverError::new(Reason::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(socket: &str, publish: &str) -> Result<Settings> {
        Settings::new(&ContainerSettings {
            socket: socket.into(),
            publish_address: publish.into(),
            memory_mib: 0,
            cpus: 2,
        })
    }

    #[test]
    fn sockets_are_unix_or_http() {
        let parsed = settings("unix:///run/docker.sock", "").expect("a Unix socket");
        assert_eq!(parsed.socket.to_string(), "unix:///run/docker.sock");
        assert_eq!((parsed.memory_mib, parsed.cpus), (None, Some(2)));
        assert_eq!(settings("http://[::1]:2375/", "").expect("http").publish.host, "::1");
        for wrong in
            ["", "/run/docker.sock", "unix://", "unix://docker.sock", "https://lab:2376", "http://", "http://a/b"]
        {
            let error = settings(wrong, "127.0.0.1").expect_err(wrong);
            assert_eq!(error.reason, Reason::Invalid);
            assert!(error.message.contains(&format!("{wrong:?}")), "{error}");
        }
    }

    #[test]
    fn ports_are_published_where_users_can_be_told() {
        let publish = |socket, address| settings(socket, address).map(|s| (s.publish.bind.to_string(), s.publish.host));
        let pair = |bind: &str, host: &str| Ok((bind.to_owned(), host.to_owned()));
        assert_eq!(publish("unix:///s", ""), pair("127.0.0.1", "127.0.0.1"));
        assert_eq!(publish("unix:///s", "192.0.2.7"), pair("192.0.2.7", "192.0.2.7"));
        assert_eq!(publish("http://192.0.2.9:2375", ""), pair("192.0.2.9", "192.0.2.9"));
        assert_eq!(publish("http://lab.example:2375", "0.0.0.0"), pair("0.0.0.0", "lab.example"));
        for (socket, address) in
            [("unix:///s", "0.0.0.0"), ("unix:///s", "::"), ("unix:///s", "localhost"), ("http://lab.example:2375", "")]
        {
            let error = publish(socket, address).expect_err(address);
            assert_eq!(error.reason, Reason::Invalid);
            assert!(error.message.contains("publish_address"), "{error}");
        }
    }
}
