//! Methods on groups and their templates.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sprout_client::proto::{
    group::ListGroupsRequest,
    shepherd::{ListShepherdsRequest, SetShepherdRequest, Shepherd, ShepherdStatus},
    template::{ListTemplatesRequest, Template, TemplateState},
};
use sprout_client::retry;

use super::{Call, args::Args, failure::Failure, method::Answer, upstream::all_pages};

pub(super) async fn has_template(call: &Call, args: &Args) -> Answer {
    let (name, unconfigured) = (args.text("template_name")?, !args.flag("preconfigured")?);
    let found = usable(call).await?;
    Ok(found.iter().any(|template| template.name == name && template.unconfigured == unconfigured).into())
}

pub(super) async fn versions(call: &Call, args: &Args) -> Answer {
    let unconfigured = !args.flag("preconfigured")?;
    let found = usable(call).await?;
    let mut seen = BTreeSet::new();
    let wanted = found.iter().filter(|template| template.unconfigured == unconfigured);
    Ok(wanted.map(|template| &template.version).filter(|version| seen.insert(*version)).cloned().collect())
}

pub(super) async fn list(call: &Call, _: &Args) -> Answer {
    let connection = call.connection()?;
    let groups = retry(async || {
        connection.groups().list_groups(ListGroupsRequest {}).await.map_err(|status| connection.explain(status))
    });
    Ok(groups.await?.into_inner().groups.into_iter().map(|group| group.name).collect())
}

pub(super) async fn wanted_warm(call: &Call, args: &Args) -> Answer {
    let wanted: Map<String, Value> = shepherds(call, args.text("group")?)
        .await?
        .into_iter()
        .filter_map(|status| Some((status.shepherd?.user_group, status.wanted.into())))
        .collect();
    Ok(wanted.into())
}

pub(super) async fn set_wanted_warm(call: &Call, args: &Args) -> Answer {
    if args.optional_number("n")?.is_some_and(|n| n < 0) {
        return Ok(false.into());
    }
    let (group, preconfigured) = (args.text("group")?, args.number("n")?);
    let now = shepherds(call, group.clone()).await?.into_iter().filter_map(|status| status.shepherd);
    let now = now.into_iter().find(|shepherd| shepherd.user_group.is_empty()).unwrap_or_default();
    let shepherd = Shepherd { group, user_group: String::new(), preconfigured, demand: None, ..now };
    let (connection, request) = (call.connection()?, SetShepherdRequest { shepherd: Some(shepherd) });
    let set = retry(async || {
        connection.shepherds().set_shepherd(request.clone()).await.map_err(|status| connection.explain(status))
    });
    set.await?;
    Ok(true.into())
}

async fn shepherds(call: &Call, group: String) -> Result<Vec<ShepherdStatus>, Failure> {
    let (connection, request) = (call.connection()?, ListShepherdsRequest { group: Some(group), user_group: None });
    let found = retry(async || {
        connection.shepherds().list_shepherds(request.clone()).await.map_err(|status| connection.explain(status))
    });
    Ok(found.await?.into_inner().shepherds)
}

/// Templates that can be used, the newest first.
async fn usable(call: &Call) -> Result<Vec<Template>, Failure> {
    let connection = call.connection()?;
    let found = all_pages(async |page_token| {
        let states = vec![TemplateState::Ready.into()];
        let request = ListTemplatesRequest { states, page_size: 1000, page_token, ..Default::default() };
        let page = connection.templates().list_templates(request).await;
        let page = page.map_err(|status| connection.explain(status))?.into_inner();
        Ok((page.templates, page.next_page_token))
    });
    Ok(found.await?)
}
