//! `sproutctl config decrypt`

use sprout_conf::KeySource;

use super::write;
use crate::{args::config::Decrypt, context::Context, failure::Failure};

pub(crate) fn run(context: &Context<'_>, args: &Decrypt) -> Result<(), Failure> {
    let text = sprout_conf::decrypt_file(&args.file.file, &KeySource { file: args.key.key_file.clone() })?;
    match &args.to {
        None => context.out.raw(&text),
        Some(to) => {
            write(to, text.as_bytes(), args.force)?;
            context.out.note(&format!("{} is written, readable for you alone", to.display()));
            Ok(())
        }
    }
}
