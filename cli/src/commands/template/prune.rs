//! `sproutctl template prune`

use sprout_client::{
    proto::template::{DeleteTemplateRequest, PlanRequest, PlannedTemplate, TemplateAction},
    retry,
};

use crate::{
    args::other::{Planned, Prune},
    context::Context,
    failure::Failure,
    output::template::PlannedView,
    prompt,
};

pub(crate) async fn run(context: &Context<'_>, args: Prune) -> Result<(), Failure> {
    let connection = context.connect()?;
    let Planned { group, provider } = args.of;
    let answer = connection.templates().plan(PlanRequest { group, provider }).await;
    let mut planned = answer.map_err(|status| connection.explain(status))?.into_inner().templates;
    planned.retain(|planned| match planned.action() {
        TemplateAction::Delete => true,
        TemplateAction::Suggest => args.suggested,
        TemplateAction::Unspecified | TemplateAction::Disuse | TemplateAction::Keep => false,
    });
    if !args.dry_run && !planned.is_empty() {
        let question = format!("Delete {} templates, and kill their warm appliances?", planned.len());
        prompt::confirm(context.out, args.yes, &question, "nothing was deleted")?;
        for PlannedTemplate { template, .. } in &planned {
            let id = template.as_ref().ok_or(Failure::Incomplete("template"))?.id;
            // Repeating it changes nothing, so a lost answer is no trouble.
            retry(async || {
                let begun = connection.templates().delete_template(DeleteTemplateRequest { id }).await;
                begun.map_err(|status| connection.explain(status))
            })
            .await?;
        }
    }
    context.out.note(&match (args.dry_run, planned.len()) {
        (_, 0) => "no template is to be deleted".to_owned(),
        (true, count) => format!("{count} templates would be deleted; nothing was changed"),
        (false, count) => format!("{count} templates are used no more, and go with their last appliances"),
    });
    context.out.list(&planned.into_iter().map(PlannedView::try_from).collect::<Result<Vec<_>, _>>()?)
}
