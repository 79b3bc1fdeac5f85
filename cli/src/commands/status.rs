//! `sproutctl status`: the whole service in one screen.

use sprout_client::{
    Code,
    proto::{pool::ListPoolsRequest, provider::ListProvidersRequest, worker::ListWorkersRequest},
};

use super::whoami;
use crate::{
    context::Context,
    failure::Failure,
    output::{pool::PoolView, status::StatusView, worker::WorkerView},
};

pub(crate) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let session = whoami::session(&connection).await?;
    let (mut providers, mut workers, mut pools) = (connection.providers(), connection.workers(), connection.pools());
    let (providers, workers, pools) = tokio::join!(
        providers.list_providers(ListProvidersRequest {}),
        workers.list_workers(ListWorkersRequest {}),
        pools.list_pools(ListPoolsRequest::default()),
    );
    let workers = match workers {
        Ok(answer) => Some(answer.into_inner().workers.into_iter().map(WorkerView::from).collect()),
        Err(status) if status.code() == Code::PermissionDenied => None,
        Err(status) => return Err(connection.explain(status).into()),
    };
    let providers = providers.map_err(|status| connection.explain(status))?.into_inner().providers;
    let pools = pools.map_err(|status| connection.explain(status))?.into_inner().pools;
    context.out.card(&StatusView {
        session,
        providers: providers.into_iter().map(Into::into).collect(),
        workers,
        pools: pools.into_iter().map(PoolView::listed).collect(),
    })
}
