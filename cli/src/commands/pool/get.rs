//! `sproutctl pool get`

use sprout_client::{Connection, pool};

use crate::{args::pool::Which, context::Context, failure::Failure, output::pool::PoolView};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    context.out.card(&get(&context.connect()?, args.id).await?)
}

pub(super) async fn get(connection: &Connection, id: u64) -> Result<PoolView, Failure> {
    Ok(PoolView::from(pool::get(connection, id).await?))
}
