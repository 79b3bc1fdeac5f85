//! `sproutctl config encrypt`

use std::{fs, path::Path};

use sprout_conf::crypt::{self, Format, Key};

use super::write;
use crate::{args::config::Encrypt, context::Context, failure::Failure};

pub(crate) fn run(context: &Context<'_>, args: &Encrypt) -> Result<(), Failure> {
    let file = &args.file.file;
    let to = match &args.to {
        Some(to) => to.clone(),
        None if file.extension().is_some_and(|ending| ending == "yaml") => file.with_extension("eyaml"),
        None => {
            return Err(Failure::Usage {
                message: format!("{} does not end in .yaml, so the encrypted file has no name", file.display()),
                hint: "name it with --to".to_owned(),
            });
        }
    };
    let text = sprout_conf::plain_file(file)?;
    let wrong = |error: String| Failure::Wrong { message: format!("{}: {error}", file.display()), hint: String::new() };
    let key = Key::find(directory(file), args.key.key_file.as_deref()).map_err(|error| wrong(error.to_string()))?;
    let format = if args.sealed { Format::Sealed } else { Format::Legacy };
    let bytes = crypt::encrypt(&text, &key, format).map_err(|error| wrong(error.to_string()))?;
    write(&to, &bytes, args.force)?;
    if args.remove {
        // Only now is there a second copy.
        let what = format!("{} is written, and {} cannot be removed", to.display(), file.display());
        fs::remove_file(file).map_err(|source| Failure::Io { what, source })?;
    }
    context.out.note(&format!("{} is written, with the key from {}", to.display(), key.source()));
    if format == Format::Legacy {
        context.out.note("this format is weak: equal parts look equal, and changes may go unnoticed; --sealed is better where only Sprout reads it");
    }
    if !args.remove {
        context.out.note(&format!("{} is read in its place as long as it is there", file.display()));
    }
    Ok(())
}

/// Where a file is.
fn directory(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}
