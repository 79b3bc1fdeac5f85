//! `sproutctl pool request`: asks for appliances, and waits for them if told to.

use std::{convert::Infallible, future::pending, time::Duration};

use sprout_client::{
    Connection, pool as client,
    proto::{
        pool::{self, RequestPoolRequest},
        template,
    },
};

use super::{Wait, wait};
use crate::{
    args::pool::{Filters, Priority, TemplateType, Wanted},
    context::Context,
    failure::Failure,
    output::{pool::PoolView, time},
};

pub(crate) async fn run(context: &Context<'_>, args: Wanted) -> Result<(), Failure> {
    let connection = context.connect()?;
    // Made before the first send: if the answer is lost, the same request is sent again, not another one.
    let request_id = args.request_id.clone().unwrap_or_else(client::new_request_id);
    let count = args.filters.count;
    let request = request(args.filters, &request_id, args.keep_alive);
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
    if !args.wait || count == 0 {
        return context.out.card(&pool);
    }
    let id = pool.id;
    let pool = tokio::select! {
        pool = wait(context, &connection, Wait::ready(id, args.timeout)) => pool?,
        never = keep_alive(&connection, id, args.keep_alive) => match never {},
    };
    context.out.card(&pool)
}

/// Says that somebody waits, if the server is to drop the request otherwise.
async fn keep_alive(connection: &Connection, id: u64, time: Option<Duration>) -> Infallible {
    match time {
        Some(time) => client::keep_alive(connection, id, time).await,
        None => pending().await,
    }
}

/// What to send for what was typed.
pub(crate) fn request(filters: Filters, request_id: &str, keep_alive: Option<Duration>) -> RequestPoolRequest {
    RequestPoolRequest {
        request_id: request_id.to_owned(),
        group: filters.group.or(filters.group_flag).unwrap_or_default(),
        count: filters.count,
        version: filters.wanted_version,
        date: filters.date,
        provider: filters.provider,
        lease: filters.lease.map(time::to_proto),
        description: filters.description,
        memory_mib: filters.memory,
        cpus: filters.cpus,
        provider_type: filters.provider_type,
        template_type: filters.template_type.map_or(template::TemplateType::Unspecified, template_type).into(),
        unconfigured: filters.unconfigured,
        update: filters.update,
        priority: filters.priority.map_or(pool::Priority::Unspecified, priority).into(),
        keep_alive: keep_alive.map(time::to_proto),
        wait_limit: filters.wait_limit.map(time::to_proto),
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
    let requested = client::request(connection, request).await?;
    let pool = PoolView::from(requested.pool);
    tell_requested(context, &pool, requested.is_repeated);
    Ok(pool)
}

/// Says what was requested.
pub(crate) fn tell_requested(context: &Context<'_>, pool: &PoolView, is_repeated: bool) {
    let again = if is_repeated { " (this request was made before)" } else { "" };
    context.out.note(&format!("pool {}: {} requested{again}", pool.id, pool.what()));
}
