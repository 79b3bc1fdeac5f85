//! `sproutctl worker revoke-token`

use sprout_client::{proto::worker::RevokeJoinTokensRequest, retry};

use crate::{args::worker::Which, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    // Repeating it changes nothing, so a lost answer is no trouble.
    retry(async || {
        let request = RevokeJoinTokensRequest { id: args.id.clone() };
        connection.workers().revoke_join_tokens(request).await.map_err(|status| connection.explain(status))
    })
    .await?;
    context.out.note(&format!("nobody can join as worker {} with a token that was made until now", args.id));
    Ok(())
}
