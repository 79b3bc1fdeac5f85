//! Methods on pools.

use serde_json::{Value, json};
use sprout_client::{
    ClientError, Connection,
    proto::{
        pool::{
            ClonePoolRequest, DescribePoolRequest, ExtendPoolRequest, GetPoolRequest, KillPoolRequest,
            ListPoolsRequest, MergePoolsRequest, Pool, PoolState, RequestPoolRequest,
        },
        template::TemplateType,
    },
    retry,
};

use super::{
    Call,
    appliance::appliance_object,
    args::Args,
    failure::Failure,
    method::Answer,
    unanswered::asked,
    upstream::{all_pages, minutes},
};

pub(super) async fn request(call: &Call, args: &Args) -> Answer {
    let request = RequestPoolRequest {
        group: args.text("group")?,
        count: args.number("count")?,
        lease: Some(minutes(args.number("lease_time")?)),
        version: args.optional_text("version")?,
        date: args.optional_text("date")?.map(|date| iso_date(&date)).transpose()?,
        provider: args.optional_text("provider")?,
        unconfigured: !args.flag("preconfigured")?,
        update: args.flag("yum_update")?,
        memory_mib: args.is_given("ram").then(|| args.number("ram")).transpose()?,
        cpus: args.is_given("cpu").then(|| args.number("cpu")).transpose()?,
        provider_type: args.optional_text("provider_type")?,
        // Those that say nothing mean whatever there is; once there was nothing else than virtual machines.
        template_type: if args.is_given("template_type") { template_type(&args.text("template_type")?)? } else { 0 },
        ..RequestPoolRequest::default()
    };
    let connection = call.connection()?;
    let what = format!("request {request:?}");
    let answer = with_request_id(call, &what, async |request_id| {
        let request = RequestPoolRequest { request_id, ..request.clone() };
        connection.pools().request_pool(request).await.map_err(|status| connection.explain(status))
    });
    Ok(id_of(answer.await?.into_inner().pool))
}

pub(super) async fn clone(call: &Call, args: &Args) -> Answer {
    let id = args.number("pool_id")?;
    let request = ClonePoolRequest {
        id,
        count: args.is_given("count").then(|| args.number("count")).transpose()?,
        lease: Some(minutes(args.number("lease_time")?)),
        ..ClonePoolRequest::default()
    };
    let connection = call.connection()?;
    let what = format!("clone {request:?}");
    let answer = with_request_id(call, &what, async |request_id| {
        let request = ClonePoolRequest { request_id, ..request.clone() };
        connection.pools().clone_pool(request).await.map_err(|status| connection.explain(status))
    });
    match answer.await {
        Ok(answer) => Ok(id_of(answer.into_inner().pool)),
        Err(error) => Err(call.about_pool(id, error).await),
    }
}

/// Sends a request for a pool, again if need be, with the id of an equal one whose answer was lost; if this one's is lost, it is remembered.
async fn with_request_id<T, F>(call: &Call, what: &str, send: impl Fn(String) -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let what = asked(call.name(), what);
    let request_id = call.api.unanswered.take(&what);
    let answer = retry(|| send(request_id.clone())).await;
    if answer.as_ref().is_err_and(ClientError::is_unavailable) {
        call.api.unanswered.remember(what, request_id);
    }
    answer
}

pub(super) async fn check(call: &Call, args: &Args) -> Answer {
    let pool = get(call, args.number("request_id")?).await?;
    let state = pool.state();
    if matches!(state, PoolState::Failed | PoolState::Ending | PoolState::Ended) {
        let status = if pool.status.is_empty() { "it has ended" } else { &pool.status };
        return Err(Failure::exception("DoesNotExist", format!("Pool {} exists no more: {status}", pool.id)));
    }
    let fulfilled = state == PoolState::Ready;
    Ok(json!({
        "fulfilled": fulfilled,
        "finished": pool.fulfilled_at.is_some(),
        "preconfigured": !pool.unconfigured,
        "yum_update": pool.update,
        // Appliances that were given back were there once.
        "progress": if fulfilled { 100 } else { pool.progress_percent },
        "appliances": pool.appliances.iter().map(appliance_object).collect::<Vec<_>>(),
    }))
}

pub(super) async fn prolong(call: &Call, args: &Args) -> Answer {
    let id = args.number("id")?;
    let request = ExtendPoolRequest { id, lease: Some(minutes(args.number("minutes")?)), never_expire: false };
    let connection = call.connection()?;
    let answer =
        retry(async || connection.pools().extend_pool(request).await.map_err(|status| connection.explain(status)))
            .await;
    match answer {
        Ok(_) => Ok(Value::Null),
        Err(error) => Err(call.about_pool(id, error).await),
    }
}

pub(super) async fn destroy(call: &Call, args: &Args) -> Answer {
    let id = args.number("id")?;
    let connection = call.connection()?;
    let answer = retry(async || {
        connection.pools().kill_pool(KillPoolRequest { id }).await.map_err(|status| connection.explain(status))
    })
    .await;
    match answer {
        Ok(_) => Ok(Value::Null),
        Err(error) => Err(call.about_pool(id, error).await),
    }
}

pub(super) async fn exists(call: &Call, args: &Args) -> Answer {
    let id = args.number("id")?;
    match get_as(&call.connection()?, id).await {
        Ok(pool) => Ok((!matches!(pool.state(), PoolState::Ended | PoolState::Failed)).into()),
        Err(error) if error.reason() == Some("POOL_NOT_FOUND") => Ok(false.into()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn describe(call: &Call, args: &Args) -> Answer {
    let id = args.number("pool_id")?;
    let request = DescribePoolRequest { id, description: args.text("description")? };
    let connection = call.connection()?;
    let answer = retry(async || {
        connection.pools().describe_pool(request.clone()).await.map_err(|status| connection.explain(status))
    })
    .await;
    match answer {
        Ok(_) => Ok(true.into()),
        Err(error) => Err(call.about_pool(id, error).await),
    }
}

pub(super) async fn description(call: &Call, args: &Args) -> Answer {
    Ok(get(call, args.number("pool_id")?).await?.description.into())
}

pub(super) async fn find(call: &Call, args: &Args) -> Answer {
    let description = args.text("description")?;
    let (whole, part) = if args.flag("partial")? { (None, Some(description)) } else { (Some(description), None) };
    let connection = call.connection()?;
    let pools = all_pages(async |page_token| {
        let request = ListPoolsRequest {
            owner: Some(call.name().to_owned()),
            description: whole.clone(),
            description_part: part.clone(),
            page_size: 1000,
            page_token,
            ..ListPoolsRequest::default()
        };
        let page = connection.pools().list_pools(request).await.map_err(|status| connection.explain(status))?;
        let page = page.into_inner();
        Ok((page.pools, page.next_page_token))
    })
    .await?;
    Ok(pools.iter().map(|pool| pool.id).collect::<Vec<_>>().into())
}

pub(super) async fn merge(call: &Call, args: &Args) -> Answer {
    let (target_id, source_id) = (args.number("target_pool_id")?, args.number("source_pool_id")?);
    let connection = call.connection()?;
    let answer = connection.pools().merge_pools(MergePoolsRequest { target_id, source_id }).await;
    match answer.map_err(|status| connection.explain(status)) {
        Ok(answer) => Ok(id_of(answer.into_inner().pool)),
        Err(error) => Err(call.about_pools(&[target_id, source_id], error).await),
    }
}

async fn get(call: &Call, id: u64) -> Result<Pool, Failure> {
    match get_as(&call.connection()?, id).await {
        Ok(pool) => Ok(pool),
        Err(error) => Err(call.about_pool(id, error).await),
    }
}

/// One pool, as the owner of this connection sees it.
pub(super) async fn get_as(connection: &Connection, id: u64) -> Result<Pool, ClientError> {
    let answer = retry(async || {
        connection.pools().get_pool(GetPoolRequest { id }).await.map_err(|status| connection.explain(status))
    })
    .await?;
    Ok(answer.into_inner().pool.unwrap_or_default())
}

/// The caller sees this pool.
pub(super) async fn get_as_caller(call: &Call, id: u64) -> bool {
    match call.connection() {
        Ok(connection) => get_as(&connection, id).await.is_ok(),
        Err(_) => false,
    }
}

fn id_of(pool: Option<Pool>) -> Value {
    pool.unwrap_or_default().id.into()
}

/// `YYMMDD`, or a date as others write it, as ISO 8601 has it.
pub(super) fn iso_date(date: &str) -> Result<String, Failure> {
    let parsed = ["%y%m%d", "%Y-%m-%d", "%Y%m%d"]
        .into_iter()
        .filter(|form| {
            date.len()
                == if form.contains('-') {
                    10
                } else if form.contains('Y') {
                    8
                } else {
                    6
                }
        })
        .find_map(|form| chrono::NaiveDate::parse_from_str(date, form).ok());
    let wrong = || Failure::exception("ValueError", format!("{date:?} is not a date: write YYMMDD"));
    Ok(parsed.ok_or_else(wrong)?.format("%Y-%m-%d").to_string())
}

fn template_type(name: &str) -> Result<i32, Failure> {
    let found = match name {
        "virtual_machine" => TemplateType::VirtualMachine,
        "docker_vm" => TemplateType::DockerVm,
        "openshift_pod" | "container" => TemplateType::Container,
        _ => {
            let message = format!("{name:?} is no template type: there are virtual_machine, docker_vm, openshift_pod");
            return Err(Failure::exception("ValueError", message));
        }
    };
    Ok(found.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_in_three_ways() {
        for date in ["200910", "20200910", "2020-09-10"] {
            assert_eq!(iso_date(date).unwrap(), "2020-09-10");
        }
        for date in ["", "2020", "201332", "10.9.2020", "20-09-10"] {
            assert!(iso_date(date).unwrap_err().message().contains("is not a date"), "{date}");
        }
    }
}
