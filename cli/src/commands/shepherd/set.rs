//! `sproutctl shepherd set`

use sprout_client::{proto::shepherd::SetShepherdRequest, retry};

use crate::{args::shepherd::Set, context::Context, failure::Failure, output::shepherd::ShepherdView};

pub(crate) async fn run(context: &Context<'_>, args: Set) -> Result<(), Failure> {
    let connection = context.connect()?;
    let request = SetShepherdRequest { shepherd: Some(args.into()) };
    // Setting the same again changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        connection.shepherds().set_shepherd(request.clone()).await.map_err(|status| connection.explain(status))
    })
    .await?;
    let shepherd = ShepherdView::from(answer.into_inner().shepherd.ok_or(Failure::Incomplete("shepherd"))?);
    context.out.note(&shepherd.outcome());
    context.out.card(&shepherd)
}
