//! `sproutctl template prepare`

use sprout_client::{
    proto::{
        template::{GetTemplateRequest, PrepareTemplateRequest, Template},
        workflow::{WatchWorkflowResponse, WorkflowState},
    },
    retry,
};

use crate::{
    args::other::PrepareTemplate,
    commands::{appliance::operate::until_ended, wait::Bound},
    context::Context,
    failure::Failure,
    output::{progress::Progress, template::TemplateView},
};

pub(crate) async fn run(context: &Context<'_>, args: PrepareTemplate) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = args.id;
    // While it is under way, repeating it changes nothing, so a lost answer is no trouble.
    let begun = retry(async || {
        let begun = connection.templates().prepare_template(PrepareTemplateRequest { id }).await;
        begun.map_err(|status| connection.explain(status))
    })
    .await?
    .into_inner();
    let made = begun.template.ok_or(Failure::Incomplete("template"))?;
    let workflow = begun.workflow_id;
    let follow = format!("`sproutctl template logs --follow {}` shows how it goes", made.id);
    if !args.wait {
        context
            .out
            .note(&format!("template {} is being made of template {id} by workflow {workflow}; {follow}", made.id));
        return context.out.card(&TemplateView::from(made));
    }
    let mut progress = Progress::new(context.out, false);
    let bound = Bound {
        timeout: Some(args.timeout),
        late: format!("template {} is not made yet", made.id),
        hint: format!("it goes on as workflow {workflow}; {follow}"),
    };
    let ended = bound.on(until_ended(&connection, &mut progress, workflow)).await;
    progress.finish();
    outcome(id, made.id, ended?)?;
    let answer = connection.templates().get_template(GetTemplateRequest { id: made.id }).await;
    let made: Option<Template> = answer.map_err(|status| connection.explain(status))?.into_inner().template;
    context.out.card(&made.map(TemplateView::from).ok_or(Failure::Incomplete("template"))?)
}

fn outcome(id: u64, made: u64, ended: WatchWorkflowResponse) -> Result<(), Failure> {
    let workflow = ended.workflow.ok_or(Failure::Incomplete("workflow"))?;
    if workflow.state() == WorkflowState::Succeeded {
        return Ok(());
    }
    let message = format!("template {id} was not prepared: {}", workflow.error);
    let hint = format!("`sproutctl template logs {made}` shows what was said; nothing of it is left on the provider");
    Err(Failure::Outcome { message, hint })
}
