//! `sproutctl template logs`

use sprout_client::{Watch, Watched};

use crate::{args::other::TemplateLogs, context::Context, failure::Failure, output::LineView};

pub(crate) async fn run(context: &Context<'_>, args: TemplateLogs) -> Result<(), Failure> {
    let connection = context.connect()?;
    let mut watch = Watch::template_logs(&connection, args.id, args.follow);
    let (mut printed, mut to_skip) = (0_u64, 0_u64);
    while let Some(watched) = watch.next().await {
        match watched? {
            Watched::Message(_) if to_skip > 0 => to_skip -= 1,
            Watched::Message(message) => {
                context.out.item(&LineView { line: &message.line }, &message.line)?;
                printed += 1;
            }
            Watched::Lost(error) => context.out.note(&format!("connection lost ({error}); reconnecting …")),
            // The log comes from its first line again.
            Watched::Back => to_skip = printed,
        }
    }
    Ok(())
}
