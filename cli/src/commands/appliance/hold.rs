//! `sproutctl appliance hold`

use sprout_client::proto::appliance::HoldApplianceRequest;

use super::{appliance_of, find};
use crate::{args::hold::Hold, context::Context, failure::Failure, output::time};

pub(crate) async fn run(context: &Context<'_>, args: Hold) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = find(&connection, &args.which.appliance).await?.id;
    let request = HoldApplianceRequest { id, reason: args.reason, time: Some(time::to_proto(args.time)) };
    let answer = connection.appliances().hold_appliance(request).await;
    let appliance = appliance_of(answer.map_err(|status| connection.explain(status))?.into_inner().appliance)?;
    context.out.note(&format!(
        "{} stays although its lease ends; `sproutctl appliance unhold {id}` when you are done",
        appliance.name
    ));
    context.out.card(&appliance)
}
