//! `sproutctl cleanup rule …`

use sprout_client::proto::cleanup::{CreateRuleRequest, DeleteRuleRequest, ListRulesRequest};

use super::plan;
use crate::{
    args::cleanup::{Add, Delete},
    context::Context,
    failure::Failure,
    output::{cleanup::RuleView, time},
    prompt,
};

pub(super) async fn list(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = connection.cleanup().list_rules(ListRulesRequest {}).await;
    let rules = answer.map_err(|status| connection.explain(status))?.into_inner().rules;
    context.out.list(&rules.into_iter().map(RuleView::from).collect::<Vec<_>>())
}

pub(super) async fn add(context: &Context<'_>, args: Add) -> Result<(), Failure> {
    let connection = context.connect()?;
    let provider = args.provider.unwrap_or_default();
    let wanted = CreateRuleRequest {
        name_pattern: args.pattern,
        min_age: Some(time::to_proto(args.older_than)),
        provider: provider.clone(),
    };
    if !args.yes {
        let all = plan::ask(&connection, provider, Some(wanted.clone())).await?;
        let its = all.iter().filter(|planned| planned.reason.starts_with("this rule")).count();
        let question = format!("{its} machines that do not carry our tag would be deleted by this rule. Make it?");
        prompt::confirm(context.out, false, &question, "no rule was made")?;
    }
    // Not repeated by itself: each call makes a rule.
    let answer = connection.cleanup().create_rule(wanted).await.map_err(|status| connection.explain(status))?;
    let rule = answer.into_inner().rule.ok_or(Failure::Incomplete("rule"))?;
    context.out.card(&RuleView::from(rule))
}

pub(super) async fn delete(context: &Context<'_>, args: Delete) -> Result<(), Failure> {
    let connection = context.connect()?;
    let request = DeleteRuleRequest { id: args.id };
    connection.cleanup().delete_rule(request).await.map_err(|status| connection.explain(status))?;
    context.out.note(&format!("rule {} is removed", args.id));
    Ok(())
}
