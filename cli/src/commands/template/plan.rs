//! `sproutctl template plan`

use sprout_client::proto::template::PlanRequest;

use crate::{args::other::Planned, context::Context, failure::Failure, output::template::PlannedView};

pub(crate) async fn run(context: &Context<'_>, Planned { group, provider }: Planned) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.templates().plan(PlanRequest { group, provider }).await;
    let planned = answer.map_err(|status| connection.explain(status))?.into_inner().templates;
    context.out.note("nothing was changed; the job delete-obsolete-templates deletes what is to be deleted");
    context.out.list(&planned.into_iter().map(PlannedView::try_from).collect::<Result<Vec<_>, _>>()?)
}
