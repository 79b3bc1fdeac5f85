//! `sproutctl cleanup …`

mod plan;
mod rule;

use crate::{
    args::cleanup::{Cleanup, Rule},
    context::Context,
    failure::Failure,
};

/// Does what was asked of clean-ups.
pub(crate) async fn dispatch(context: &Context<'_>, cleanup: Cleanup) -> Result<(), Failure> {
    match cleanup {
        Cleanup::Plan(args) => plan::run(context, args).await,
        Cleanup::Rule(Rule::List) => rule::list(context).await,
        Cleanup::Rule(Rule::Add(args)) => rule::add(context, args).await,
        Cleanup::Rule(Rule::Delete(args)) => rule::delete(context, args).await,
    }
}
