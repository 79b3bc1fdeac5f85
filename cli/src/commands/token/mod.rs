//! `sproutctl token …`

use sprout_client::proto::user::{CreateTokenRequest, ListTokensRequest, RevokeTokenRequest, TokenScope};
use sprout_conf::Secret;

use crate::{
    args::token::{Create, List, Revoke, Scope, Token},
    context::Context,
    failure::Failure,
    output::{
        time,
        token::{NewTokenView, TokenView},
    },
    prompt,
};

/// Does what was asked of tokens.
pub(crate) async fn dispatch(context: &Context<'_>, asked: Token) -> Result<(), Failure> {
    match asked {
        Token::List(args) => list(context, args).await,
        Token::Create(args) => create(context, args).await,
        Token::Revoke(args) => revoke(context, args).await,
    }
}

async fn list(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.users().list_tokens(ListTokensRequest { user: args.user }).await;
    let tokens = answer.map_err(|status| connection.explain(status))?.into_inner().tokens;
    context.out.list(&tokens.into_iter().map(TokenView::from).collect::<Vec<_>>())
}

async fn create(context: &Context<'_>, args: Create) -> Result<(), Failure> {
    let connection = context.connect()?;
    let scope = match args.scope {
        Scope::Read => TokenScope::Read,
        Scope::Use => TokenScope::Use,
        Scope::Full => TokenScope::Full,
    };
    // Not repeated where the answer is lost: the list shows a token that nobody knows, to be revoked.
    let lifetime = args.expires.map(time::to_proto);
    let request = CreateTokenRequest { name: args.name, scope: scope.into(), lifetime };
    let answer = connection.users().create_token(request).await.map_err(|status| connection.explain(status))?;
    let answer = answer.into_inner();
    let token = TokenView::from(answer.token.ok_or(Failure::Incomplete("token"))?);
    let view = NewTokenView::new(token, Secret::from(answer.secret));
    context.out.note(&view.hint());
    context.out.card(&view)
}

async fn revoke(context: &Context<'_>, args: Revoke) -> Result<(), Failure> {
    let question = format!("Revoke token {}, so that nothing that uses it works any longer?", args.id);
    prompt::confirm(context.out, args.yes, &question, "nothing was revoked")?;
    let connection = context.connect()?;
    let answer = connection.users().revoke_token(RevokeTokenRequest { id: args.id }).await;
    answer.map_err(|status| connection.explain(status))?;
    context.out.note(&format!("token {} is revoked", args.id));
    Ok(())
}
