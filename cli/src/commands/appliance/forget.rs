//! `sproutctl appliance forget`

use sprout_client::{proto::appliance::ForgetApplianceRequest, retry};

use super::{appliance_of, find};
use crate::{args::appliance::Kill, context::Context, failure::Failure, prompt};

pub(crate) async fn run(context: &Context<'_>, args: Kill) -> Result<(), Failure> {
    let connection = context.connect()?;
    let appliance = find(&connection, &args.which.appliance).await?;
    let id = appliance.id;
    let question = format!(
        "Forget appliance {id} ({}, {})? Whatever is left of it on its provider stays there.",
        appliance.name, appliance.state
    );
    prompt::confirm(context.out, args.yes, &question, "nothing was forgotten")?;
    // Repeating it changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        let forgotten = connection.appliances().forget_appliance(ForgetApplianceRequest { id }).await;
        forgotten.map_err(|status| connection.explain(status))
    })
    .await?;
    context.out.card(&appliance_of(answer.into_inner().appliance)?)
}
