//! `sproutctl pool clone`

use sprout_client::{proto::pool::ClonePoolRequest, retry};
use uuid::Uuid;

use super::{Wait, pool_of, wait};
use crate::{args::pool_change::Clone, context::Context, failure::Failure, output::time};

pub(crate) async fn run(context: &Context<'_>, args: Clone) -> Result<(), Failure> {
    let connection = context.connect()?;
    // Made before the first send: if the answer is lost, the same request is sent again, not another one.
    let request_id = args.request_id.unwrap_or_else(|| Uuid::new_v4().to_string());
    let request =
        ClonePoolRequest { id: args.id, request_id, count: args.count, lease: args.lease.map(time::to_proto) };
    let answer = retry(async || {
        connection.pools().clone_pool(request.clone()).await.map_err(|status| connection.explain(status))
    })
    .await?
    .into_inner();
    let pool = pool_of(answer.pool)?;
    let again = if answer.repeated_request { " (this request was made before)" } else { "" };
    context.out.note(&format!("pool {}: {} requested, like pool {}{again}", pool.id, pool.what(), args.id));
    // A pool of nothing is over from the start.
    if !args.wait || pool.count == 0 {
        return context.out.card(&pool);
    }
    let pool = wait(context, &connection, Wait::ready(pool.id, args.timeout)).await?;
    context.out.card(&pool)
}
