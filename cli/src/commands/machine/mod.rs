//! `sproutctl machine …`

mod list;

use crate::{args::machine::Machine, context::Context, failure::Failure};

/// Does what was asked of machines.
pub(crate) async fn dispatch(context: &Context<'_>, machine: Machine) -> Result<(), Failure> {
    match machine {
        Machine::List(args) => list::run(context, args).await,
    }
}
