//! `sproutctl worker token`

use sprout_client::proto::worker::CreateJoinTokenRequest;
use sprout_conf::Secret;

use crate::{
    args::worker::Token,
    context::Context,
    failure::Failure,
    output::{time, worker::JoinTokenView},
};

pub(crate) async fn run(context: &Context<'_>, args: Token) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = args.which.id;
    // Not repeated where the answer is lost: that would leave a token that nobody knows of, though only until it expires.
    let request = CreateJoinTokenRequest { id: id.clone(), lifetime: args.expires.map(time::to_proto) };
    let answer = connection.workers().create_join_token(request).await.map_err(|status| connection.explain(status))?;
    let answer = answer.into_inner();
    let view = JoinTokenView::new(id, Secret::from(answer.join_token), time::rfc3339(answer.expires_at));
    context.out.note(&view.hint());
    context.out.card(&view)
}
