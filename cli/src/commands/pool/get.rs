//! `sproutctl pool get`

use sprout_client::{Connection, proto::pool::GetPoolRequest};

use super::pool_of;
use crate::{args::pool::Which, context::Context, failure::Failure, output::pool::PoolView};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    context.out.card(&get(&context.connect()?, args.id).await?)
}

pub(super) async fn get(connection: &Connection, id: u64) -> Result<PoolView, Failure> {
    let answer = connection.pools().get_pool(GetPoolRequest { id }).await;
    pool_of(answer.map_err(|status| connection.explain(status))?.into_inner().pool)
}
