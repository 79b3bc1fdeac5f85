//! `sproutctl config check`

use crate::{args::config::Check, context::Context, failure::Failure, output::config::CheckView};

pub(crate) fn run(context: &Context<'_>, args: &Check) -> Result<(), Failure> {
    let checked = sprout_config::check(&args.path);
    let count = checked.mistakes.len();
    for note in &checked.notes {
        context.out.note(&format!("note: {note}"));
    }
    context.out.card(&CheckView::from(&checked))?;
    if count == 0 {
        return Ok(());
    }
    let things = if count == 1 { "1 thing is".to_owned() } else { format!("{count} things are") };
    let message = format!("{things} wrong with {}", args.path.display());
    Err(Failure::Wrong { message, hint: "docs/operations/configuration.md says what may be where".to_owned() })
}
