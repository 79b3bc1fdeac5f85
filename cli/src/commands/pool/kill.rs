//! `sproutctl pool kill`

use sprout_client::{
    proto::pool::{KillPoolRequest, PoolState},
    retry,
};

use super::{Wait, get, pool_of, wait};
use crate::{args::pool::Kill, context::Context, failure::Failure, prompt};

pub(crate) async fn run(context: &Context<'_>, args: Kill) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = args.id;
    if !args.yes {
        let pool = get::get(&connection, id).await?;
        let question = format!("Kill pool {id} ({} of {})?", pool.what(), pool.owner);
        prompt::confirm(context.out, false, &question, "nothing was killed")?;
    }
    // Repeating it changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        connection.pools().kill_pool(KillPoolRequest { id }).await.map_err(|status| connection.explain(status))
    })
    .await?;
    let mut pool = pool_of(answer.into_inner().pool)?;
    if args.wait {
        let ended = Wait {
            id,
            goal: "gone",
            verdict: |state| matches!(state, PoolState::Ended | PoolState::Failed).then_some(true),
            timeout: args.timeout,
            hint: format!("the killing goes on; watch it with `sproutctl pool watch {id}`"),
        };
        pool = wait(context, &connection, ended).await?;
    }
    context.out.card(&pool)
}
