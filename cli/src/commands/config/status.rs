//! `sproutctl config status`

use sprout_client::{proto::config::GetConfigStatusRequest, retry};

use crate::{context::Context, failure::Failure, output::config::StatusView};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let answer = retry(async || {
        connection
            .config()
            .get_config_status(GetConfigStatusRequest {})
            .await
            .map_err(|status| connection.explain(status))
    })
    .await?;
    context.out.card(&StatusView::from(answer.into_inner().status.unwrap_or_default()))
}
