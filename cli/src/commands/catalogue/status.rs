//! `sproutctl catalogue status`

use sprout_client::{Connection, proto::catalogue::GetStatusRequest};

use crate::{context::Context, failure::Failure, output::catalogue::StatusView};

pub(super) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    context.out.card(&ask(&connection).await?)
}

/// What was found last.
pub(super) async fn ask(connection: &Connection) -> Result<StatusView, Failure> {
    let answer = connection.catalogue().get_status(GetStatusRequest {}).await;
    Ok(answer.map_err(|status| connection.explain(status))?.into_inner().into())
}
