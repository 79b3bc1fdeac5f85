//! `sproutctl pool kill`

use sprout_client::pool::{self, Goal};

use super::{Wait, get, wait};
use crate::{args::pool::Kill, context::Context, failure::Failure, output::pool::PoolView, prompt};

pub(crate) async fn run(context: &Context<'_>, args: Kill) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = args.id;
    if !args.yes {
        let pool = get::get(&connection, id).await?;
        let question = format!("Kill pool {id} ({} of {})?", pool.what(), pool.owner);
        prompt::confirm(context.out, false, &question, "nothing was killed")?;
    }
    let mut pool = PoolView::from(pool::kill(&connection, id).await?);
    if args.wait {
        let ended = Wait {
            id,
            goal: Goal::Gone,
            timeout: args.timeout,
            hint: format!("the killing goes on; watch it with `sproutctl pool watch {id}`"),
        };
        pool = wait(context, &connection, ended).await?;
    }
    context.out.card(&pool)
}
