//! `sproutctl user list`

use sprout_client::proto::user::ListUsersRequest;

use crate::{args::user::List, commands::page, context::Context, failure::Failure, output::user::UserView};

pub(crate) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let users = page::all(context.out, args.limit, async |page_size, page_token| {
        let request =
            ListUsersRequest { user_group: args.user_group.clone(), include_disabled: args.all, page_size, page_token };
        let answer = connection.users().list_users(request).await.map_err(|status| connection.explain(status))?;
        let answer = answer.into_inner();
        Ok((answer.users.into_iter().map(UserView::from).collect(), answer.next_page_token))
    })
    .await?;
    context.out.list(&users)
}
