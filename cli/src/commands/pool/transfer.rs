//! `sproutctl pool transfer`

use sprout_client::proto::pool::TransferPoolRequest;

use super::pool_of;
use crate::{args::pool_change::Transfer, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Transfer) -> Result<(), Failure> {
    let connection = context.connect()?;
    let request = TransferPoolRequest { id: args.id, owner: args.owner };
    let answer = connection.pools().transfer_pool(request).await.map_err(|status| connection.explain(status))?;
    let pool = pool_of(answer.into_inner().pool)?;
    context.out.note(&format!("pool {} belongs to {} now", pool.id, pool.owner));
    context.out.card(&pool)
}
