//! `sproutctl catalogue …`

mod name;
mod status;
mod sync;

use crate::{args::catalogue::Catalogue, context::Context, failure::Failure};

/// Does what was asked of catalogues.
pub(crate) async fn dispatch(context: &Context<'_>, catalogue: Catalogue) -> Result<(), Failure> {
    match catalogue {
        Catalogue::Sync(args) => sync::run(context, args).await,
        Catalogue::Status => status::run(context).await,
        Catalogue::Name(args) => name::run(context, args).await,
    }
}
