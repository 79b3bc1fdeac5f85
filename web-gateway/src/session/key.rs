//! The key that sessions are sealed with: configured, or made at the first start and kept in a file.

use std::{
    env,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sprout_conf::Secret;

use crate::config::{Error, GatewayConfig};

/// Where a gateway of root's keeps what it made.
const STATE_DIR: &str = "/var/lib/sprout-web-gateway";
/// Its name in there.
const FILE: &str = "session.key";
/// A key that is shorter could be guessed.
const LEAST: usize = 32;

/// The configured key; the one in the file; or a new one, in the file from now on.
pub(crate) fn session_key(config: &GatewayConfig) -> Result<Secret, Error> {
    if let Some(key) = &config.session_key {
        return checked(key.expose(), "web_gateway.session_key");
    }
    let path = config.session_key_file.clone().map_or_else(default_file, Ok)?;
    match read_or_make(&path) {
        Ok(key) => checked(key.expose(), &path.display().to_string()),
        Err(source) => Err(Error::SessionKey { path, source }),
    }
}

fn checked(key: &str, place: &str) -> Result<Secret, Error> {
    let key = key.trim();
    if key.len() < LEAST {
        return Err(Error::WeakSessionKey { place: place.to_owned() });
    }
    Ok(Secret::from(key.to_owned()))
}

fn default_file() -> Result<PathBuf, Error> {
    if rustix::process::geteuid().is_root() {
        return Ok(Path::new(STATE_DIR).join(FILE));
    }
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    state.map(|state| state.join("sprout-web-gateway").join(FILE)).ok_or(Error::NoHome)
}

fn read_or_make(path: &Path) -> io::Result<Secret> {
    match fs::read_to_string(path) {
        Ok(key) => {
            if fs::metadata(path)?.mode() & 0o007 != 0 {
                tracing::warn!(path = %path.display(), "everyone on this machine can read the session key, and with it make sessions; chmod 600 it");
            }
            return Ok(Secret::from(key));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let key = Secret::from(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    // Whole or not at all, and never over one that another gateway has just made.
    let new = path.with_extension(format!("new-{:08x}", rand::random::<u32>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let made = file
        .write_all(key.expose().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&new, path));
    let _ = fs::remove_file(&new);
    match made {
        Ok(()) => {
            tracing::info!(path = %path.display(), "made a key to seal sessions with; other gateways of this installation need the same");
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read_to_string(path).map(Secret::from),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn config(file: &Path) -> GatewayConfig {
        GatewayConfig { session_key_file: Some(file.to_owned()), ..GatewayConfig::default() }
    }

    #[test]
    fn it_is_made_once_for_its_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state/session.key");
        let made: Vec<_> = thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| session_key(&config(&file)).unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(made[0].expose().len() >= 43 && made.iter().all(|key| *key == made[0]));
        assert_eq!(session_key(&config(&file)).unwrap(), made[0]);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(dir.path().join("state")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn the_configured_one_comes_first_and_none_may_be_short() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("session.key");
        let key = Secret::from(format!(" {}\n", "k".repeat(32)));
        let configured = GatewayConfig { session_key: Some(key), ..config(&file) };
        assert_eq!(session_key(&configured).unwrap().expose(), "k".repeat(32));
        assert!(!file.exists());
        fs::write(&file, "short\n").unwrap();
        let message = session_key(&config(&file)).unwrap_err().to_string();
        assert!(message.contains("session.key") && message.contains("32"), "{message}");
        let message = session_key(&config(dir.path())).unwrap_err().to_string();
        assert!(message.contains("session_key"), "{message}");
    }
}
