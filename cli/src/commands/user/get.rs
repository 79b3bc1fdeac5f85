//! `sproutctl user get`

use sprout_client::proto::user::GetUserRequest;

use crate::{args::user::Which, context::Context, failure::Failure, output::user::UserWithQuota};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.users().get_user(GetUserRequest { name: args.name }).await;
    let answer = answer.map_err(|status| connection.explain(status))?.into_inner();
    context.out.card(&UserWithQuota::read(answer).ok_or(Failure::Incomplete("user"))?)
}
