//! The section `worker` of `sprout.yaml`, and how it, the flags and the defaults become [`Options`].

use std::{
    collections::HashMap,
    env, fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
    thread,
};

use serde::Deserialize;
use sprout_conf::{ConfigError, Secret, Servers};

use crate::{Drivers, Identity, Options, identity::Joining};

/// Name of this section.
const SECTION: &str = "worker";
/// All sections `sprout.yaml` may have, one per process.
const SECTIONS: &[&str] = &["server", SECTION, "web_gateway"];
/// Where a server listens if nobody said otherwise.
const SERVER: &str = "http://127.0.0.1:7600";
/// Where a worker of root's keeps what it was given when it joined.
const STATE_DIR: &str = "/var/lib/sprout-worker";
/// Steps mostly wait for others, and a waiting one costs some kilobytes and no thread. What a provider can bear is limited for the
/// provider, not here.
const SLOTS_PER_CORE: usize = 64;
/// Killing is never to wait for a worker.
const KILL_SLOTS: u32 = 64;

/// The section `worker`. Each key can be set by the environment, too: `SPROUT_WORKER__SERVER` sets `server`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// URL of the server, or a list of those of several servers that share a database; default `http://127.0.0.1:7600`. Use `https://`
    /// beyond this machine.
    pub server: Option<Servers>,
    /// File with the certificates (PEM) that sign the server's, if the system does not trust them.
    pub ca: Option<PathBuf>,
    /// Id of this worker: unique, kept across restarts, 1 to 64 characters of letters, digits and `._-`; default: the host's name.
    pub id: Option<String>,
    /// File with the token to join with once, from `sproutctl worker token ID`; not needed any more once the worker has joined.
    /// `SPROUT_WORKER_JOIN_TOKEN` comes first.
    pub join_token_file: Option<PathBuf>,
    /// Directory for what the worker is given when it joins; default: `/var/lib/sprout-worker`, for other users than root
    /// `~/.local/state/sprout-worker`.
    pub state_dir: Option<PathBuf>,
    /// Labels, for placement.
    pub labels: HashMap<String, String>,
    /// Steps to run at once, without those that delete appliances; default: 64 per core.
    pub slots: Option<NonZeroU32>,
    /// Steps that delete appliances to run at once; default: 64.
    pub kill_slots: Option<NonZeroU32>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The id cannot be used.
    #[error("{id:?} cannot be the id of a worker: use 1 to 64 letters, digits and ._- in worker.id or --id")]
    Id {
        /// The id.
        id: String,
    },
    /// No id was given, and the host has no name.
    #[error("the name of this host cannot be read ({0}); name the worker with worker.id or --id")]
    HostName(io::Error),
    /// There is no place for the state.
    #[error(
        "HOME is not set, so there is no place for what this worker keeps; name one with worker.state_dir or --state-dir"
    )]
    NoHome,
}

impl WorkerConfig {
    /// Reads the section from a file, with overrides from the environment.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Ok(sprout_conf::section(path, SECTION, SECTIONS)?)
    }

    /// Options for a worker with all drivers; `join_token` (from `SPROUT_WORKER_JOIN_TOKEN`) comes before the section's file.
    pub fn into_options(self, join_token: Option<Secret>) -> Result<Options, Error> {
        let id = self.id.map_or_else(host_name, Ok)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if id.is_empty() || id.len() > 64 || !id.chars().all(allowed) {
            return Err(Error::Id { id });
        }
        let join_token = join_token.map(|token| Secret::from(token.expose().trim().to_owned()));
        let joining = Joining {
            state_dir: self.state_dir.map_or_else(default_state_dir, Ok)?,
            join_token: join_token.filter(|token| !token.expose().is_empty()),
            join_token_file: self.join_token_file,
        };
        let slots = self.slots.map_or_else(default_slots, NonZeroU32::get);
        Ok(Options {
            servers: self.server.map_or_else(|| vec![SERVER.to_owned()], Servers::into_urls),
            ca: self.ca,
            id,
            identity: Identity::Joined(joining),
            labels: self.labels,
            slots,
            kill_slots: self.kill_slots.map_or(KILL_SLOTS, NonZeroU32::get),
            drivers: Drivers::default(),
        })
    }
}

/// Where programs keep state.
fn default_state_dir() -> Result<PathBuf, Error> {
    if rustix::process::geteuid().is_root() {
        return Ok(STATE_DIR.into());
    }
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    state.map(|state| state.join("sprout-worker")).ok_or(Error::NoHome)
}

/// The name of this host, as the kernel gives it.
fn host_name() -> Result<String, Error> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").map_err(Error::HostName)?;
    Ok(name.trim().to_owned())
}

fn default_slots() -> u32 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores * SLOTS_PER_CORE).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    fn joining(options: Options) -> Joining {
        let Identity::Joined(joining) = options.identity else { panic!("not of a kind that joins") };
        joining
    }

    fn token(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn all_keys() {
        let (_dir, path) = file(
            "worker:\n  server: https://sprout.example:7600\n  ca: /etc/sprout/ca.pem\n  id: lab-1\n  join_token_file: t\n  state_dir: /s\n  labels: {lab: brno}\n  slots: 3\n  kill_slots: 2\n",
        );
        let options = WorkerConfig::read(&path).unwrap().into_options(None).unwrap();
        assert_eq!(
            (options.servers.clone(), options.id.as_str(), options.slots, options.kill_slots),
            (vec!["https://sprout.example:7600".to_owned()], "lab-1", 3, 2)
        );
        assert_eq!(options.labels["lab"], "brno");
        assert_eq!(options.ca.as_deref(), Some(Path::new("/etc/sprout/ca.pem")));
        let joining = joining(options);
        assert_eq!((joining.state_dir, joining.join_token_file), ("/s".into(), Some("t".into())));
    }

    #[test]
    fn defaults() {
        let options = WorkerConfig::default().into_options(Some(token("t"))).unwrap();
        assert_eq!((options.servers, options.id), (vec![SERVER.to_owned()], host_name().unwrap()));
        assert!(options.slots >= 64 && options.kill_slots == 64);
    }

    #[test]
    fn servers_are_one_or_a_list() {
        let servers = |text: &str| {
            let (_dir, path) = file(&format!("worker: {{server: {text}}}\n"));
            WorkerConfig::read(&path).map(|config| config.server.unwrap().into_urls())
        };
        assert_eq!(servers("http://a:1").unwrap(), ["http://a:1"]);
        assert_eq!(servers("['http://a:1', 'http://b:1']").unwrap(), ["http://a:1", "http://b:1"]);
        for wrong in ["[]", "7", "{a: b}"] {
            let message = servers(wrong).unwrap_err().to_string();
            assert!(message.contains("the URL of a server, or a list"), "{message}");
        }
    }

    #[test]
    fn unknown_keys_are_errors() {
        let (_dir, path) = file("worker:\n  slot: 3\n");
        let message = WorkerConfig::read(&path).unwrap_err().to_string();
        assert!(message.contains(":2:") && message.contains("slot"), "{message}");
    }

    #[test]
    fn a_join_token_is_from_the_environment_or_a_file() {
        let config = || WorkerConfig { join_token_file: Some("t".into()), ..Default::default() };
        let joining = joining(config().into_options(Some(token(" from-env\n"))).unwrap());
        assert_eq!(joining.join_token.unwrap().expose(), "from-env");
        let joining = self::joining(config().into_options(Some(token(" "))).unwrap());
        assert!(joining.join_token.is_none() && joining.join_token_file == Some("t".into()));
        assert!(joining.state_dir.ends_with("sprout-worker"));
    }

    #[test]
    fn ids_are_checked() {
        for id in ["", "a b", &"x".repeat(65)] {
            let config = WorkerConfig { id: Some(id.to_owned()), ..Default::default() };
            assert!(matches!(config.into_options(Some(token("t"))), Err(Error::Id { .. })), "{id:?}");
        }
    }
}
