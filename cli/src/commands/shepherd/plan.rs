//! `sproutctl shepherd plan`

use sprout_client::proto::shepherd::PlanShepherdRequest;

use crate::{args::shepherd::Set, context::Context, failure::Failure, output::shepherd::PlanView};

pub(crate) async fn run(context: &Context<'_>, args: Set) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.shepherds().plan_shepherd(PlanShepherdRequest { shepherd: Some(args.into()) }).await;
    let planned = answer.map_err(|status| connection.explain(status))?.into_inner();
    context.out.note("nothing was changed; `sproutctl shepherd set` with the same arguments does this");
    context.out.card(&PlanView::try_from(planned)?)
}
