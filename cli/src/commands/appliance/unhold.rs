//! `sproutctl appliance unhold`

use sprout_client::{proto::appliance::UnholdApplianceRequest, retry};

use super::{appliance_of, find};
use crate::{args::appliance::Which, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = find(&connection, &args.appliance).await?.id;
    // Repeating it changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        let unheld = connection.appliances().unhold_appliance(UnholdApplianceRequest { id }).await;
        unheld.map_err(|status| connection.explain(status))
    })
    .await?;
    context.out.card(&appliance_of(answer.into_inner().appliance)?)
}
