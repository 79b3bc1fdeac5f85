//! Deletes a template, and proves it absent.
//!
//! May be repeated: deleting what is absent is done. It begins only when nothing of ours is cloned from it; a provider on which others use it
//! refuses, and that is the outcome. Providers delete in their own time, so it is looked for until it is listed no more.

use sprout_proto::task::{DeleteTemplateStep, StepOutput};

use super::{
    StepContext, done, invalid,
    make_template::is_listed,
    poll::{self, Patience, Pauses},
};
use crate::driver::Result;

pub(super) async fn run(ctx: &StepContext, step: &DeleteTemplateStep) -> Result<StepOutput> {
    let name = step.template.as_str();
    if name.is_empty() {
        return Err(invalid("the step names no template; this is a mistake of the server, report it"));
    }
    ctx.status(None, format!("deleting the template {name}"));
    ctx.change().await?.delete_template(name).await?;
    let (mut pauses, mut patience) = (Pauses::up_to(poll::LOOKS), Patience::default());
    loop {
        // Unknown is not absent.
        if let Some(templates) = patience.forgive(ctx, ctx.templates().await)?
            && !is_listed(&templates, name)
        {
            ctx.info(format!("the template {name} is gone"));
            return Ok(done());
        }
        ctx.status(None, format!("waiting until the template {name} is gone"));
        pauses.wait().await;
    }
}
