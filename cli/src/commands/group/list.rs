//! `sproutctl group list`

use sprout_client::proto::group::ListGroupsRequest;

use crate::{context::Context, failure::Failure, output::group::GroupView};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.groups().list_groups(ListGroupsRequest {}).await;
    let groups = answer.map_err(|status| connection.explain(status))?.into_inner().groups;
    context.out.list(&groups.into_iter().map(GroupView::from).collect::<Vec<_>>())
}
