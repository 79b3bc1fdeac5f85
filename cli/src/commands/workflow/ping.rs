//! `sproutctl workflow ping`: does dispatch work, and how quickly?

use sprout_client::proto::workflow::{PingRequest, WorkflowState};

use super::{ended, workflow_of};
use crate::{
    args::workflow::Ping,
    commands::wait::Bound,
    context::Context,
    failure::Failure,
    output::{progress::Progress, workflow::PingView},
};

pub(crate) async fn run(context: &Context<'_>, args: Ping) -> Result<(), Failure> {
    let connection = context.connect()?;
    let Ping { provider, count, timeout } = args;
    let answer = connection.workflows().ping(PingRequest { provider: provider.clone(), count }).await;
    let begun = workflow_of(answer.map_err(|status| connection.explain(status))?.into_inner().workflow)?;
    let id = begun.id;
    let mut progress = Progress::new(context.out, true);
    let bound = Bound {
        timeout: Some(timeout),
        late: match count {
            1 => format!("the ping to {provider} has not come back yet"),
            _ => format!("not all of the {count} pings to {provider} have come back yet"),
        },
        hint: format!(
            "`sproutctl worker list` shows whether a worker for its type is connected, `sproutctl workflow get {id}` \
             how far the pings are; `sproutctl workflow cancel {id}` ends them"
        ),
    };
    let workflow = bound
        .on(ended(&connection, &mut progress, id, async |progress, workflow| {
            progress.parts("pings came back", workflow);
            Ok(())
        }))
        .await?;
    progress.finish();
    let (state, error) = (workflow.state(), workflow.error.clone());
    if state != WorkflowState::Succeeded {
        let what = if error.is_empty() { "someone cancelled it" } else { &error };
        return Err(Failure::Outcome {
            message: match count {
                1 => format!("the ping to {provider} did not come back: {what}"),
                _ => format!("not all of the {count} pings to {provider} came back: {what}"),
            },
            hint: format!("`sproutctl workflow list --parent {id}` shows each"),
        });
    }
    context.out.card(&PingView::new(provider, count, &workflow))
}
