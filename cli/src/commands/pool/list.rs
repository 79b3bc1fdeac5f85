//! `sproutctl pool list`

use sprout_client::proto::pool::{ListPoolsRequest, PoolState};

use crate::{
    args::pool::{List, State},
    commands::page,
    context::Context,
    failure::Failure,
    output::pool::PoolView,
};

pub(crate) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let states: Vec<i32> = args.state.iter().map(|state| to_proto(*state).into()).collect();
    let pools = page::all(context.out, args.limit, async |page_size, page_token| {
        let request = ListPoolsRequest {
            states: states.clone(),
            owner: args.owner.clone(),
            group: args.group.clone(),
            page_size,
            page_token,
            ..ListPoolsRequest::default()
        };
        let page = connection.pools().list_pools(request).await.map_err(|status| connection.explain(status))?;
        let page = page.into_inner();
        Ok((page.pools, page.next_page_token))
    })
    .await?;
    context.out.list(&pools.into_iter().map(PoolView::listed).collect::<Vec<_>>())
}

fn to_proto(state: State) -> PoolState {
    match state {
        State::Waiting => PoolState::Waiting,
        State::Provisioning => PoolState::Provisioning,
        State::Ready => PoolState::Ready,
        State::Ending => PoolState::Ending,
        State::Ended => PoolState::Ended,
        State::Failed => PoolState::Failed,
    }
}
