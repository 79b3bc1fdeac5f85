//! `sproutctl pool request`: asks for appliances, and waits for them if told to.

use sprout_client::{
    Connection,
    proto::pool::{PoolState, RequestPoolRequest},
    retry,
};
use uuid::Uuid;

use super::{Wait, pool_of, wait};
use crate::{
    args::pool::Wanted,
    context::Context,
    failure::Failure,
    output::{pool::PoolView, time},
};

pub(crate) async fn run(context: &Context<'_>, args: Wanted) -> Result<(), Failure> {
    let connection = context.connect()?;
    // Made before the first send: if the answer is lost, the same request is sent again, not another one.
    let request_id = args.request_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let request = RequestPoolRequest {
        request_id: request_id.clone(),
        group: args.group.or(args.group_flag).unwrap_or_default(),
        count: args.count,
        version: args.wanted_version,
        date: args.date,
        provider: args.provider,
        lease: args.lease.map(time::to_proto),
        description: args.description,
        memory_mib: args.memory_mib,
        cpus: args.cpus,
        ..RequestPoolRequest::default()
    };
    let pool = tokio::select! {
        pool = send(context, &connection, &request) => pool?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|source| Failure::Io { what: "Ctrl-C cannot be waited for".to_owned(), source })?;
            return Err(Failure::Interrupted {
                message: "interrupted; the server may have the request already".to_owned(),
                hint: format!("the same command with --request-id {request_id} gives the same pool, not another one"),
            });
        }
    };
    // A pool of nothing is over from the start.
    if !args.wait || args.count == 0 {
        return context.out.card(&pool);
    }
    let id = pool.id;
    let pool = wait(
        context,
        &connection,
        Wait {
            id,
            goal: "ready",
            verdict: |state| match state {
                PoolState::Ready => Some(true),
                PoolState::Ending | PoolState::Ended | PoolState::Failed => Some(false),
                PoolState::Waiting | PoolState::Provisioning | PoolState::Unspecified => None,
            },
            timeout: args.timeout,
            hint: format!(
                "the pool goes on: watch it with `sproutctl pool watch {id}`, or end it with `sproutctl pool kill {id}`"
            ),
        },
    )
    .await?;
    context.out.card(&pool)
}

async fn send(
    context: &Context<'_>,
    connection: &Connection,
    request: &RequestPoolRequest,
) -> Result<PoolView, Failure> {
    let answer = retry(async || {
        connection.pools().request_pool(request.clone()).await.map_err(|status| connection.explain(status))
    })
    .await?
    .into_inner();
    let pool = pool_of(answer.pool)?;
    let again = if answer.repeated_request { " (this request was made before)" } else { "" };
    context.out.note(&format!("pool {}: {} requested{again}", pool.id, pool.what()));
    Ok(pool)
}
