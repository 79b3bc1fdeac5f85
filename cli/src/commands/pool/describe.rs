//! `sproutctl pool describe`

use sprout_client::{proto::pool::DescribePoolRequest, retry};

use super::pool_of;
use crate::{args::pool_change::Describe, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Describe) -> Result<(), Failure> {
    let connection = context.connect()?;
    let request = DescribePoolRequest { id: args.id, description: args.description };
    let answer = retry(async || {
        connection.pools().describe_pool(request.clone()).await.map_err(|status| connection.explain(status))
    })
    .await?;
    context.out.card(&pool_of(answer.into_inner().pool)?)
}
