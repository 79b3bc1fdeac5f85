//! `sproutctl task list`

use sprout_client::proto::task::{ListTasksRequest, TaskState};

use crate::{
    args::task::{List, State},
    commands::page,
    context::Context,
    failure::Failure,
    output::task::TaskView,
};

pub(crate) async fn run(context: &Context<'_>, args: List) -> Result<(), Failure> {
    let connection = context.connect()?;
    let states: Vec<i32> = args.state.iter().map(|state| to_proto(*state).into()).collect();
    let tasks = page::all(context.out, args.limit, async |page_size, page_token| {
        let request = ListTasksRequest {
            states: states.clone(),
            worker_id: args.worker.clone().unwrap_or_default(),
            provider: args.provider.clone().unwrap_or_default(),
            workflow_id: args.workflow,
            page_size,
            page_token,
        };
        let page = connection.tasks().list_tasks(request).await.map_err(|status| connection.explain(status))?;
        let page = page.into_inner();
        Ok((page.tasks, page.next_page_token))
    })
    .await?;
    context.out.list(&tasks.into_iter().map(TaskView::from).collect::<Vec<_>>())
}

fn to_proto(state: State) -> TaskState {
    match state {
        State::Blocked => TaskState::Blocked,
        State::Ready => TaskState::Ready,
        State::Running => TaskState::Running,
        State::Retrying => TaskState::Retrying,
        State::Done => TaskState::Done,
        State::Failed => TaskState::Failed,
        State::Cancelled => TaskState::Cancelled,
    }
}
