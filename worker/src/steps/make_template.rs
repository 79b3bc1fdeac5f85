//! Makes a template of an appliance that is off, and sees it listed.
//!
//! May be repeated: the name is decided by the server, and of this appliance alone, so a template that is listed under it was made by an earlier try.

use sprout_proto::task::{MakeTemplateStep, StepOutput};

use super::{
    StepContext, done, invalid, named,
    poll::{self, Patience, Pauses},
};
use crate::driver::{Reason, Result};

pub(super) async fn run(ctx: &StepContext, step: &MakeTemplateStep) -> Result<StepOutput> {
    let subject = named(step.appliance.as_ref())?;
    let template = step.template.as_str();
    if template.is_empty() {
        return Err(invalid("the step names no template; this is a mistake of the server, report it"));
    }
    if is_listed(&ctx.templates().await?, template) {
        ctx.info(format!("the template {template} is there already"));
        return Ok(done());
    }
    let instance = subject.expect(ctx).await?;
    ctx.status(None, format!("making the template {template}"));
    match ctx.change().await?.make_template(&instance.name, template).await {
        Ok(()) => {}
        // Another try of this step has made it meanwhile, or is about to.
        Err(error) if error.reason == Reason::NameTaken => ctx.warn(error.message),
        Err(error) => return Err(error),
    }
    let (mut pauses, mut patience) = (Pauses::up_to(poll::LOOKS), Patience::default());
    loop {
        if let Some(templates) = patience.forgive(ctx, ctx.templates().await)?
            && is_listed(&templates, template)
        {
            ctx.info(format!("{} is the template {template}", subject.name));
            return Ok(done());
        }
        ctx.status(None, format!("waiting until the template {template} is listed"));
        pauses.wait().await;
    }
}

/// Whether a template is listed, by its name or by what container engines make of one without a place and a tag.
pub(super) fn is_listed(templates: &[String], name: &str) -> bool {
    templates.iter().any(|there| {
        let there = there.strip_prefix("localhost/").filter(|_| !name.contains('/')).unwrap_or(there);
        there == name || (!name.contains(':') && there.strip_suffix(":latest") == Some(name))
    })
}

#[cfg(test)]
mod tests {
    use super::is_listed;

    #[test]
    fn engines_add_a_tag_and_a_place() {
        let there = |name: &str, listed: &str| is_listed(&[listed.to_owned()], name);
        assert!(
            there("a", "a")
                && there("a", "a:latest")
                && there("a", "localhost/a:latest")
                && there("a:1", "localhost/a:1")
        );
        assert!(!there("a", "b") && !there("a", "a:1") && !there("a", "b/a"));
    }
}
