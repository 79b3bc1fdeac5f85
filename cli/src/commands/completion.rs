//! `sproutctl completion`: a script that lets a shell complete command lines.

use crate::{args::session::Completion, context::Context, failure::Failure};

pub(crate) fn run(context: &Context<'_>, args: &Completion) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "sproutctl", &mut script);
    context.out.raw(&String::from_utf8_lossy(&script))
}
