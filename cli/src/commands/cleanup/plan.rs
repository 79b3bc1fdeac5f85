//! `sproutctl cleanup plan`

use sprout_client::{
    Connection,
    proto::cleanup::{CreateRuleRequest, PlanRequest, PlannedDeletion},
};

use crate::{
    args::cleanup::Plan,
    context::Context,
    failure::Failure,
    output::{cleanup::PlannedView, time},
};

pub(super) async fn run(context: &Context<'_>, args: Plan) -> Result<(), Failure> {
    let connection = context.connect()?;
    let rule = args.rule.map(|name_pattern| CreateRuleRequest {
        name_pattern,
        min_age: args.older_than.map(time::to_proto),
        provider: args.provider.clone().unwrap_or_default(),
    });
    let planned = ask(&connection, args.provider.unwrap_or_default(), rule).await?;
    context.out.list(&planned.into_iter().map(PlannedView::from).collect::<Vec<_>>())
}

/// What would be deleted.
pub(super) async fn ask(
    connection: &Connection,
    provider: String,
    rule: Option<CreateRuleRequest>,
) -> Result<Vec<PlannedDeletion>, Failure> {
    let answer = connection.cleanup().plan(PlanRequest { provider, rule }).await;
    Ok(answer.map_err(|status| connection.explain(status))?.into_inner().deletions)
}
