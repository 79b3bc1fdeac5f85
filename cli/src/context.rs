//! What every command needs: the printer, and a connection made of flags, environment and configuration file, in this
//! order of precedence.

use std::{env, fs, path::PathBuf};

use sprout_client::{Connection, DEFAULT_SERVER, Settings};
use sprout_conf::Secret;

use crate::{
    args::ConnectionArgs,
    config::{self, Config},
    failure::Failure,
    output::Printer,
};

/// What every command needs.
pub(crate) struct Context<'a> {
    pub(crate) out: &'a Printer,
    args: ConnectionArgs,
}

impl<'a> Context<'a> {
    pub(crate) fn new(args: ConnectionArgs, out: &'a Printer) -> Self {
        Self { out, args }
    }

    /// Where the configuration file is, or would be.
    pub(crate) fn config_path(&self) -> Result<PathBuf, Failure> {
        self.config_file().ok_or_else(|| Failure::Usage {
            message: "there is no place for the configuration file: neither HOME nor XDG_CONFIG_HOME is set".to_owned(),
            hint: "set one of them, or name a file with --config".to_owned(),
        })
    }

    fn config_file(&self) -> Option<PathBuf> {
        let named = self.args.config.clone().or_else(|| variable("SPROUTCTL_CONFIG").map(PathBuf::from));
        named.or_else(config::default_path)
    }

    pub(crate) fn config(&self) -> Result<Config, Failure> {
        match self.config_file() {
            Some(path) => config::load(&path),
            None => Ok(Config::default()),
        }
    }

    /// The server to talk to, without a token.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let config = self.config()?;
        let named = Some(self.args.server.join(",")).filter(|servers| !servers.is_empty());
        let server =
            named.or_else(|| variable("SPROUT_SERVER")).or(config.server).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        Ok(Settings {
            ca: self.args.ca.clone().or_else(|| variable("SPROUT_CA").map(PathBuf::from)).or(config.ca),
            insecure: self.args.insecure || config.insecure,
            ..Settings::new(server)
        })
    }

    /// A connection with the caller's token, if there is one.
    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        let mut settings = self.settings()?;
        settings.token = self.token(&settings.server)?;
        Ok(Connection::open(settings)?)
    }

    fn token(&self, server: &str) -> Result<Option<Secret>, Failure> {
        if let Some(path) = &self.args.token_file {
            let what = format!("token file {} cannot be read", path.display());
            let text = fs::read_to_string(path).map_err(|source| Failure::Io { what, source })?;
            return Ok(Some(Secret::from(text.trim().to_owned())));
        }
        if let Some(token) = variable("SPROUT_TOKEN") {
            return Ok(Some(Secret::from(token)));
        }
        // The saved token is for the saved servers; another one must not get to see it.
        let config = self.config()?;
        let is_for_all = server.split(',').all(|server| config.is_for(server));
        Ok(config.token.filter(|_| is_for_all))
    }
}

/// A variable of the environment; one that is set to nothing is not set.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
