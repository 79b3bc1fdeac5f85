//! `sproutctl pool request`: asks for appliances, and waits for them if told to.

use std::{convert::Infallible, future::pending, time::Duration};

use sprout_client::{
    Connection,
    proto::{
        pool::{self, KeepPoolAliveRequest, PoolState, RequestPoolRequest},
        template,
    },
    retry,
};
use uuid::Uuid;

use super::{Wait, pool_of, wait};
use crate::{
    args::pool::{Priority, TemplateType, Wanted},
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
        memory_mib: args.memory,
        cpus: args.cpus,
        provider_type: args.provider_type,
        template_type: args.template_type.map_or(template::TemplateType::Unspecified, template_type).into(),
        unconfigured: args.unconfigured,
        priority: args.priority.map_or(pool::Priority::Unspecified, priority).into(),
        keep_alive: args.keep_alive.map(time::to_proto),
        wait_limit: args.wait_limit.map(time::to_proto),
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
    let ready = Wait {
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
    };
    let pool = tokio::select! {
        pool = wait(context, &connection, ready) => pool?,
        never = keep_alive(&connection, id, args.keep_alive) => match never {},
    };
    context.out.card(&pool)
}

/// Says again and again that somebody waits, if the server is to drop the request otherwise. One that gets lost does no harm: three fit the time.
async fn keep_alive(connection: &Connection, id: u64, every: Option<Duration>) -> Infallible {
    let Some(every) = every else { return pending().await };
    loop {
        tokio::time::sleep(every / 3).await;
        let _ = connection.pools().keep_pool_alive(KeepPoolAliveRequest { id }).await;
    }
}

fn template_type(wanted: TemplateType) -> template::TemplateType {
    match wanted {
        TemplateType::VirtualMachine => template::TemplateType::VirtualMachine,
        TemplateType::Container => template::TemplateType::Container,
        TemplateType::DockerVm => template::TemplateType::DockerVm,
    }
}

fn priority(wanted: Priority) -> pool::Priority {
    match wanted {
        Priority::Interactive => pool::Priority::Interactive,
        Priority::Batch => pool::Priority::Batch,
    }
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
