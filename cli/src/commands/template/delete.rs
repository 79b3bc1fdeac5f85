//! `sproutctl template delete`

use sprout_client::{
    proto::{
        template::{DeleteTemplateRequest, GetTemplateRequest, Template},
        workflow::{WatchWorkflowResponse, WorkflowState},
    },
    retry,
};

use crate::{
    args::other::DeleteTemplate,
    commands::{appliance::operate::until_ended, wait::Bound},
    context::Context,
    failure::Failure,
    output::{progress::Progress, template::TemplateView},
    prompt,
};

pub(crate) async fn run(context: &Context<'_>, args: DeleteTemplate) -> Result<(), Failure> {
    let connection = context.connect()?;
    let id = args.id;
    let template = async || -> Result<Template, Failure> {
        let answer = connection.templates().get_template(GetTemplateRequest { id }).await;
        let template = answer.map_err(|status| connection.explain(status))?.into_inner().template;
        template.ok_or(Failure::Incomplete("template"))
    };
    let Template { name, provider, .. } = template().await?;
    let question = format!("Delete template {id} ({name} on {provider}), and kill its warm appliances?");
    prompt::confirm(context.out, args.yes, &question, "nothing was deleted")?;
    // Repeating it changes nothing, so a lost answer is no trouble.
    let answer = retry(async || {
        let begun = connection.templates().delete_template(DeleteTemplateRequest { id }).await;
        begun.map_err(|status| connection.explain(status))
    })
    .await?
    .into_inner();
    match answer.workflow_id {
        None => context.out.note(&format!("template {id} is gone already")),
        Some(workflow) if args.wait => {
            let mut progress = Progress::new(context.out, false);
            let bound = Bound {
                timeout: Some(args.timeout),
                late: format!("template {id} is not deleted yet"),
                hint: format!("it goes on as workflow {workflow}, when the last appliance of it is gone"),
            };
            let ended = bound.on(until_ended(&connection, &mut progress, workflow)).await;
            progress.finish();
            outcome(id, ended?)?;
        }
        Some(workflow) => context.out.note(&format!(
            "template {id} is used no more; workflow {workflow} deletes it when the last appliance of it is gone"
        )),
    }
    context.out.card(&TemplateView::from(template().await?))
}

fn outcome(id: u64, ended: WatchWorkflowResponse) -> Result<(), Failure> {
    let workflow = ended.workflow.ok_or(Failure::Incomplete("workflow"))?;
    if workflow.state() == WorkflowState::Succeeded {
        return Ok(());
    }
    let message = format!("template {id} was not deleted: {}", workflow.error);
    let hint = format!("it stays out of use, and is tried again hourly; `sproutctl template delete {id}` tries it now");
    Err(Failure::Outcome { message, hint })
}
