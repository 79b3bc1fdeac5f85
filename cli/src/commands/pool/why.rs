//! `sproutctl pool why`

use sprout_client::proto::pool::ExplainPoolRequest;

use crate::{args::pool::Which, context::Context, failure::Failure, output::wait::WaitView};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.pools().explain_pool(ExplainPoolRequest { id: args.id }).await;
    let answer = answer.map_err(|status| connection.explain(status))?.into_inner();
    context.out.card(&WaitView::new(answer).ok_or(Failure::Incomplete("pool"))?)
}
