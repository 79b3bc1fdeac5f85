//! `sproutctl worker tokens`

use sprout_client::proto::worker::ListJoinTokensRequest;

use crate::{context::Context, failure::Failure, output::worker::UnusedTokenView};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.workers().list_join_tokens(ListJoinTokensRequest {}).await;
    let tokens = answer.map_err(|status| connection.explain(status))?.into_inner().join_tokens;
    context.out.list(&tokens.into_iter().map(UnusedTokenView::from).collect::<Vec<_>>())
}
