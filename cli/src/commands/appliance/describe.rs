//! `sproutctl appliance describe`

use sprout_client::{proto::appliance::DescribeApplianceRequest, retry};

use super::{appliance_of, find};
use crate::{args::hold::Describe, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Describe) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = find(&connection, &args.which.appliance).await?.id;
    let request = DescribeApplianceRequest { id, description: args.description };
    let answer = retry(async || {
        let described = connection.appliances().describe_appliance(request.clone()).await;
        described.map_err(|status| connection.explain(status))
    })
    .await?;
    context.out.card(&appliance_of(answer.into_inner().appliance)?)
}
