//! `sproutctl config …`

pub(crate) mod check;
pub(crate) mod decrypt;
pub(crate) mod encrypt;
pub(crate) mod show;
pub(crate) mod status;

use std::path::Path;

use crate::{args::config::Config, context::Context, failure::Failure};

/// Does what was asked of configuration.
pub(crate) async fn dispatch(context: &Context<'_>, config: Config) -> Result<(), Failure> {
    match config {
        Config::Check(args) => check::run(context, &args),
        Config::Show(args) => show::run(context, &args),
        Config::Encrypt(args) => encrypt::run(context, &args),
        Config::Decrypt(args) => decrypt::run(context, &args),
        Config::Status => status::run(context).await,
    }
}

/// Writes a file for its owner only.
fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    sprout_conf::write_private(path, bytes, force).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::Usage {
            message: format!("{} is there already; nothing was changed", path.display()),
            hint: "name another file with --to, or replace it with --force".to_owned(),
        },
        _ => Failure::Io { what: format!("{} cannot be written", path.display()), source },
    })
}
