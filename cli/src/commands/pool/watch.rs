//! `sproutctl pool watch`: each change of a pool until its end. The changes are the data here.

use std::io::{self, IsTerminal as _};

use sprout_client::{Watch, Watched};

use crate::{
    args::{Format, pool::Which},
    context::Context,
    failure::Failure,
    output::{
        pool::PoolView,
        progress::{Progress, line, stamped},
    },
};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    let mut watch = Watch::pool(&connection, args.id);
    let with_bars = context.out.format() == Format::Table && io::stdout().is_terminal() && io::stderr().is_terminal();
    let mut progress = Progress::new(context.out, with_bars);
    let mut last = None;
    while let Some(watched) = watch.next().await {
        match watched? {
            Watched::Message(message) => {
                let pool = PoolView::from(message.pool.ok_or(Failure::Incomplete("pool"))?);
                if with_bars {
                    progress.show(&pool, &message.message);
                } else {
                    context.out.item(&pool, &stamped(&line(&pool, &message.message)))?;
                }
                last = Some(pool);
            }
            Watched::Lost(error) => progress.note(&format!("connection lost ({error}); reconnecting …")),
            Watched::Back => progress.note("connected again"),
        }
    }
    progress.finish();
    match last {
        Some(pool) if with_bars => context.out.card(&pool),
        _ => Ok(()),
    }
}
