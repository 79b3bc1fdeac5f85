//! `sproutctl config …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Check, show, encrypt and decrypt configuration files; see what the server runs with.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Tell all that is wrong with configuration files, without a server.
    Check(Check),
    /// Print what a file says together with what is laid over it; secrets are covered.
    Show(File),
    /// Encrypt a file: NAME.yaml becomes NAME.eyaml.
    Encrypt(Encrypt),
    /// Print what is in an encrypted file.
    Decrypt(Decrypt),
    /// Show what the server runs with, and why it does not use a newer configuration (staff).
    Status,
}

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A file, with its NAME.local.yaml and the files it names; or a directory, with all configuration in it.
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    pub(crate) path: PathBuf,
}

/// Names a file.
#[derive(Debug, Args)]
pub(crate) struct File {
    /// The file, e.g. `cfme_data.yaml`.
    pub(crate) file: PathBuf,
}

/// What to encrypt, and how.
#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    #[command(flatten)]
    pub(crate) file: File,
    #[command(flatten)]
    pub(crate) key: Key,
    /// Write to this file [default: the same name, with .eyaml].
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Use Sprout's own format, in which every change is noticed; the original tools cannot read it.
    #[arg(long)]
    pub(crate) sealed: bool,
    /// Replace what is there.
    #[arg(long)]
    pub(crate) force: bool,
    /// Remove the plain file afterwards; as long as it is there, it is read in place of the encrypted one.
    #[arg(long)]
    pub(crate) remove: bool,
}

/// What to decrypt, and where to.
#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    #[command(flatten)]
    pub(crate) file: File,
    #[command(flatten)]
    pub(crate) key: Key,
    /// Write to this file, for its owner only, in place of printing.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Replace what is there.
    #[arg(long, requires = "to")]
    pub(crate) force: bool,
}

/// Where the key is.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// File with the key, all of it, a line end included [default: `SPROUT_YAML_KEY`, `SPROUT_YAML_KEY_FILE`, then
    /// those of yaycl-crypt, then `.yaml_key` next to the file or in the directory above].
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}
