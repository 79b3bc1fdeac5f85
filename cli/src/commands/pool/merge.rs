//! `sproutctl pool merge`

use sprout_client::{proto::pool::MergePoolsRequest, retry};

use super::pool_of;
use crate::{args::pool_change::Merge, context::Context, failure::Failure, prompt};

pub(crate) async fn run(context: &Context<'_>, args: Merge) -> Result<(), Failure> {
    let connection = context.connect()?;
    let Merge { target, source, yes } = args;
    let question = format!("Move all appliances of pool {source} into pool {target}, and end pool {source}?");
    prompt::confirm(context.out, yes, &question, "nothing was merged")?;
    // Repeating it changes nothing, so a lost answer is no trouble.
    let request = MergePoolsRequest { target_id: target, source_id: source };
    let answer =
        retry(async || connection.pools().merge_pools(request).await.map_err(|status| connection.explain(status)))
            .await?;
    context.out.note(&format!("pool {source} is part of pool {target} now"));
    context.out.card(&pool_of(answer.into_inner().pool)?)
}
