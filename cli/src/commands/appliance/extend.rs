//! `sproutctl appliance extend`

use sprout_client::proto::appliance::ExtendApplianceRequest;

use super::{appliance_of, find};
use crate::{args::appliance::Extend, context::Context, failure::Failure, output::time};

pub(crate) async fn run(context: &Context<'_>, args: Extend) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = find(&connection, &args.which.appliance).await?.id;
    let request = ExtendApplianceRequest { id, lease: args.lease.map(time::to_proto), never_expire: args.never };
    let answer = connection.appliances().extend_appliance(request).await;
    context.out.card(&appliance_of(answer.map_err(|status| connection.explain(status))?.into_inner().appliance)?)
}
