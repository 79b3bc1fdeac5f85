//! `sproutctl appliance get`

use super::find;
use crate::{args::appliance::Which, context::Context, failure::Failure};

pub(crate) async fn run(context: &Context<'_>, args: Which) -> Result<(), Failure> {
    context.out.card(&find(&context.connect()?, &args.appliance).await?)
}
