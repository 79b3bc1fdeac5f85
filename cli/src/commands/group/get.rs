//! `sproutctl group get`

use sprout_client::proto::group::GetGroupRequest;

use crate::{args::other::Name, context::Context, failure::Failure, output::group::GroupView};

pub(crate) async fn run(context: &Context<'_>, args: Name) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.groups().get_group(GetGroupRequest { name: args.name }).await;
    let group = answer.map_err(|status| connection.explain(status))?.into_inner().group;
    context.out.card(&GroupView::from(group.ok_or(Failure::Incomplete("group"))?))
}
