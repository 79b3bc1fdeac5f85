//! `sproutctl audit …`

mod list;

use crate::{args::audit::Audit, context::Context, failure::Failure};

/// Does what was asked of the audit log.
pub(crate) async fn dispatch(context: &Context<'_>, audit: Audit) -> Result<(), Failure> {
    match audit {
        Audit::List(args) => list::run(context, args).await,
    }
}
