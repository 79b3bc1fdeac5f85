//! `sproutctl machine …`

mod list;
mod order;

use crate::{args::machine::Machine, context::Context, failure::Failure};

/// Does what was asked of machines.
pub(crate) async fn dispatch(context: &Context<'_>, machine: Machine) -> Result<(), Failure> {
    match machine {
        Machine::List(args) => list::run(context, args).await,
        Machine::Start(args) => order::start(context, args).await,
        Machine::Stop(args) => order::stop(context, args).await,
        Machine::Delete(args) => order::delete(context, args).await,
    }
}
