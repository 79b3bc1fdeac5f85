//! `sproutctl config show`

use crate::{args::config::File, context::Context, failure::Failure, output::config::ShownView};

pub(crate) fn run(context: &Context<'_>, args: &File) -> Result<(), Failure> {
    context.out.card(&ShownView(sprout_config::show(&args.file)?))
}
