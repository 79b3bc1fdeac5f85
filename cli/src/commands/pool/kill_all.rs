//! `sproutctl pool kill-all`

use sprout_client::{proto::pool::KillPoolsRequest, retry};

use crate::{args::pool_change::KillAll, context::Context, failure::Failure, output::pool::PoolView, prompt};

pub(crate) async fn run(context: &Context<'_>, args: KillAll) -> Result<(), Failure> {
    let connection = context.connect()?;
    let whose =
        args.owner.as_ref().map_or_else(|| "all your pools".to_owned(), |owner| format!("all pools of {owner}"));
    prompt::confirm(context.out, args.yes, &format!("Kill {whose}?"), "nothing was killed")?;
    let request = KillPoolsRequest { owner: args.owner };
    // Repeating it changes nothing, so a lost answer is no trouble; it lists those that are left then.
    let answer = retry(async || {
        connection.pools().kill_pools(request.clone()).await.map_err(|status| connection.explain(status))
    })
    .await?;
    let pools: Vec<_> = answer.into_inner().pools.into_iter().map(PoolView::listed).collect();
    context.out.list(&pools)
}
