//! `sproutctl task logs`

use sprout_client::{Watch, Watched};

use crate::{args::task::Logs, context::Context, failure::Failure, output::LineView};

pub(crate) async fn run(context: &Context<'_>, args: Logs) -> Result<(), Failure> {
    let connection = context.connect()?;
    let mut watch = Watch::task_logs(&connection, args.which.id, args.follow);
    let (mut printed, mut to_skip) = (0_usize, 0_usize);
    while let Some(watched) = watch.next().await {
        match watched? {
            Watched::Message(message) => {
                let known = to_skip.min(message.lines.len());
                to_skip -= known;
                for line in &message.lines[known..] {
                    context.out.item(&LineView { line }, line)?;
                    printed += 1;
                }
            }
            Watched::Lost(error) => context.out.note(&format!("connection lost ({error}); reconnecting …")),
            Watched::Back => {
                context.out.note("connected again");
                // The log comes from its first line again.
                to_skip = printed;
            }
        }
    }
    if printed == 0 {
        context.out.note("this task has logged nothing");
    }
    Ok(())
}
