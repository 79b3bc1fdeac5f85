//! Looks at configuration without a server.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use sprout_config::{Checked, InvalidConfig};

use crate::{Error, Settings};

/// What to do with configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Tell all that is wrong with it
    Check {
        /// A file, or a directory with all configuration in it [default: that of --config]
        #[arg(value_name = "FILE|DIR")]
        path: Option<PathBuf>,
    },
    /// Print a file together with what is laid over it, with secrets covered
    Show {
        /// The file [default: that of --config]
        file: Option<PathBuf>,
    },
}

impl ConfigCommand {
    /// Does it. `config`: the file that the server would read.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn run(&self, config: &Path) -> Result<(), Error> {
        let text = match self {
            Self::Check { path } => check(path.as_deref().unwrap_or(config))?,
            Self::Show { file } => {
                let shown = sprout_config::show(file.as_deref().unwrap_or(config)).map_err(Error::Unreadable)?;
                serde_saphyr::to_string(&shown)
                    .map_err(|error| Error::Ended(format!("it cannot be printed: {error}")))?
            }
        };
        io::stdout().write_all(text.as_bytes()).map_err(|error| Error::Ended(format!("it cannot be told: {error}")))
    }
}

fn check(path: &Path) -> Result<String, Error> {
    let Checked { files, notes, mut mistakes } = sprout_config::check(path);
    // What only a server can tell, such as the directives of its log.
    if path.is_file()
        && files.iter().any(|file| file == path)
        && mistakes.is_empty()
        && path.file_name().is_some_and(|name| name == "sprout.yaml")
        && let Err(Error::Config(invalid)) = Settings::read(path)
    {
        mistakes.add_error(sprout_conf::ConfigError::Invalid(invalid));
    }
    mistakes.or(()).map_err(|invalid: InvalidConfig| Error::Config(invalid))?;
    let files = files.iter().map(|file| format!("{}: fine\n", file.display()));
    Ok(files.chain(notes.iter().map(|note| format!("note: {note}\n"))).collect())
}
