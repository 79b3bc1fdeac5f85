//! Methods on appliances, and how clients see one.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sprout_client::{
    ClientError, Connection,
    proto::{
        appliance::{
            Appliance, ApplianceState, AttachDiskRequest, DetachDiskRequest, ExtendApplianceRequest,
            GetApplianceRequest, KillApplianceRequest, ListAppliancesRequest, PowerState, RenameApplianceRequest,
            StartApplianceRequest, StopApplianceRequest, SuspendApplianceRequest, get_appliance_request::By,
        },
        template::{ListTemplatesRequest, Template, TemplateState},
    },
    retry,
};

use super::{
    Call,
    args::{Args, Named},
    failure::Failure,
    method::Answer,
    pool::iso_date,
    upstream::{all_pages, minutes},
};

/// Size of the disk that takes the place of a direct LUN.
const LUN_MIB: u64 = 10 * 1024;

pub(super) async fn list(call: &Call, args: &Args) -> Answer {
    let used = args.flag("used")?;
    let found = listed(&call.connection()?, ListAppliancesRequest { warm: !used, ..Default::default() }).await?;
    let wanted = found.iter().filter(|appliance| appliance.pool_id.is_some() == used);
    Ok(wanted.map(appliance_object).collect::<Vec<_>>().into())
}

pub(super) async fn count_warm(call: &Call, args: &Args) -> Answer {
    let (group, provider) = (args.text("group")?, args.optional_text("provider")?);
    let (version, date) = (args.optional_text("version")?, args.optional_text("date")?);
    let date = date.map(|date| iso_date(&date)).transpose()?;
    // The newest come first; what the caller may not see is not among them.
    let connection = call.connection()?;
    let templates = all_pages(async |page_token| {
        let request = ListTemplatesRequest {
            group: Some(group.clone()),
            provider: provider.clone(),
            states: vec![TemplateState::Ready.into()],
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let page = connection.templates().list_templates(request).await;
        let page = page.map_err(|status| connection.explain(status))?.into_inner();
        Ok((page.templates, page.next_page_token))
    })
    .await?;
    let fits = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted == has);
    let newest = templates.iter().find(|t| fits(&version, &t.version) && fits(&date, &t.date));
    let Some(newest) = newest else { return Ok(0.into()) };
    let alike = |t: &&Template| (&t.version, &t.date) == (&newest.version, &newest.date);
    let ids: BTreeSet<_> = templates.iter().filter(alike).map(|template| template.id).collect();
    // What belongs to nobody only staff are shown: the gateway's own user, or the caller.
    let connection = call.api.own.clone().unwrap_or(connection);
    let states = vec![ApplianceState::Ready.into()];
    let request = ListAppliancesRequest { warm: true, group: Some(group), provider, states, ..Default::default() };
    let found = listed(&connection, request).await?;
    Ok(found.iter().filter(|appliance| ids.contains(&appliance.template_id)).count().into())
}

pub(super) async fn data(call: &Call, args: &Args) -> Answer {
    Ok(appliance_object(&get(call, args).await?))
}

pub(super) async fn power_state(call: &Call, args: &Args) -> Answer {
    Ok(power(&get(call, args).await?).into())
}

pub(super) async fn provider_type(call: &Call, args: &Args) -> Answer {
    Ok(get(call, args).await?.provider_type.into())
}

pub(super) async fn provider_key(call: &Call, args: &Args) -> Answer {
    Ok(get(call, args).await?.provider.into())
}

pub(super) async fn prolong(call: &Call, args: &Args) -> Answer {
    let id = args.number("id")?;
    let request = ExtendApplianceRequest { id, lease: Some(minutes(args.number("minutes")?)), never_expire: false };
    let connection = call.connection()?;
    let answer = retry(async || {
        connection.appliances().extend_appliance(request).await.map_err(|status| connection.explain(status))
    })
    .await;
    match answer {
        Ok(_) => Ok(Value::Null),
        Err(error) => Err(call.about_appliance(&Named::Id(id), error).await),
    }
}

pub(super) async fn suspend(call: &Call, args: &Args) -> Answer {
    let appliance = get(call, args).await?;
    if appliance.power_state() == PowerState::Off {
        return Ok(false.into());
    }
    let (id, connection) = (appliance.id, call.connection()?);
    let answer = connection.appliances().suspend_appliance(SuspendApplianceRequest { id }).await;
    Ok(answer.map_err(|status| connection.explain(status))?.into_inner().workflow_id.into())
}

pub(super) async fn rename(call: &Call, args: &Args) -> Answer {
    let name = args.text("new_name")?;
    let (id, connection) = (get(call, args).await?.id, call.connection()?);
    let answer = connection.appliances().rename_appliance(RenameApplianceRequest { id, name }).await;
    Ok(answer.map_err(|status| connection.explain(status))?.into_inner().workflow_id.into())
}

pub(super) async fn connect_lun(call: &Call, args: &Args) -> Answer {
    let (id, connection) = (get(call, args).await?.id, call.connection()?);
    let answer = connection.appliances().attach_disk(AttachDiskRequest { id, size_mib: LUN_MIB }).await;
    Ok(answer.map_err(|status| connection.explain(status))?.into_inner().workflow_id.into())
}

/// Methods that name an appliance, do one thing to it, and answer with the task that does it.
macro_rules! begins {
    ($($name:ident: $call:ident $request:ident;)*) => {
        $(pub(super) async fn $name(call: &Call, args: &Args) -> Answer {
            let (id, connection) = (get(call, args).await?.id, call.connection()?);
            let answer = retry(async || {
                connection.appliances().$call($request { id }).await.map_err(|status| connection.explain(status))
            });
            Ok(answer.await?.into_inner().workflow_id.into())
        })*
    };
}

begins! {
    destroy: kill_appliance KillApplianceRequest;
    power_on: start_appliance StartApplianceRequest;
    power_off: stop_appliance StopApplianceRequest;
    disconnect_lun: detach_disk DetachDiskRequest;
}

async fn listed(connection: &Connection, request: ListAppliancesRequest) -> Result<Vec<Appliance>, Failure> {
    let found = all_pages(async |page_token| {
        let request = ListAppliancesRequest { page_size: 1000, page_token, ..request.clone() };
        let page = connection.appliances().list_appliances(request).await;
        let page = page.map_err(|status| connection.explain(status))?.into_inner();
        Ok((page.appliances, page.next_page_token))
    });
    Ok(found.await?)
}

/// The appliance that the call names.
async fn get(call: &Call, args: &Args) -> Result<Appliance, Failure> {
    let named = args.appliance("appliance")?;
    match get_as(&call.connection()?, &named).await {
        Ok(appliance) => Ok(appliance),
        Err(error) => Err(call.about_appliance(&named, error).await),
    }
}

/// One appliance, as the owner of this connection sees it. A text may be an address or a name.
pub(super) async fn get_as(connection: &Connection, named: &Named) -> Result<Appliance, ClientError> {
    let ways = match named {
        Named::Id(id) => vec![By::Id(*id)],
        Named::Text(text) => vec![By::Address(text.clone()), By::Name(text.clone())],
    };
    let mut missed = None;
    for by in ways {
        let request = GetApplianceRequest { by: Some(by) };
        let answer = retry(async || {
            connection.appliances().get_appliance(request.clone()).await.map_err(|status| connection.explain(status))
        });
        match answer.await {
            Ok(answer) => return Ok(answer.into_inner().appliance.unwrap_or_default()),
            Err(error) if error.reason() == Some("APPLIANCE_NOT_FOUND") => missed = Some(error),
            Err(error) => return Err(error),
        }
    }
    missed.map_or_else(|| Ok(Appliance::default()), Err)
}

/// An appliance as clients see it.
pub(super) fn appliance_object(appliance: &Appliance) -> Value {
    let state = appliance.state();
    json!({
        "id": appliance.id,
        "pool_id": appliance.pool_id,
        "ready": state == ApplianceState::Ready,
        "name": appliance.name,
        "ip_address": appliance.address,
        "status": appliance.status,
        "power_state": power(appliance),
        "description": appliance.description,
        "status_changed": time(appliance.status_changed_at),
        "datetime_leased": time(appliance.leased_at),
        "leased_until": time(appliance.leased_until),
        "template_name": appliance.template,
        "template_id": appliance.template_id,
        "provider": appliance.provider,
        "marked_for_deletion": matches!(state, ApplianceState::Killing | ApplianceState::Gone),
        "uuid": appliance.provider_ref,
        "template_version": appliance.version,
        "template_build_date": (!appliance.date.is_empty()).then_some(&appliance.date),
        "template_group": appliance.group,
        "template_sprout_name": appliance.template,
        "preconfigured": !appliance.unconfigured,
        "lun_disk_connected": appliance.disk_mib.is_some(),
        "container": Value::Null,
        "ram": appliance.memory_mib,
        "cpu": appliance.cpus,
        "created_on": time(appliance.created_at),
        "modified_on": time(appliance.changed_at),
        "project": Value::Null,
        "db_host": appliance.address,
        "url": (!appliance.url.is_empty()).then_some(&appliance.url),
    })
}

/// Power state by the names that clients know.
fn power(appliance: &Appliance) -> &'static str {
    match (appliance.state(), appliance.power_state()) {
        (ApplianceState::Failed, _) => "creation_failed",
        (ApplianceState::Orphaned, _) | (_, PowerState::Absent) => "orphaned",
        (_, PowerState::On) => "on",
        (_, PowerState::Off) => "off",
        (_, PowerState::Suspended) => "suspended",
        (_, PowerState::Changing) => "rebooting",
        (_, PowerState::Unspecified) => "unknown",
    }
}

/// ISO 8601, as Python writes it.
fn time(at: Option<prost_types::Timestamp>) -> Option<String> {
    let at = at?;
    let at: DateTime<Utc> = DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)?;
    Some(at.to_rfc3339_opts(SecondsFormat::Micros, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_all_that_clients_know() {
        let at = prost_types::Timestamp { seconds: 1_600_000_000, nanos: 1_000 };
        let appliance = Appliance {
            id: 7,
            state: ApplianceState::Ready.into(),
            power_state: PowerState::On.into(),
            leased_until: Some(at),
            ..Default::default()
        };
        let object = appliance_object(&appliance);
        let keys = "id pool_id ready name ip_address status power_state description status_changed datetime_leased leased_until \
                    template_name template_id provider marked_for_deletion uuid template_version template_build_date \
                    template_group template_sprout_name preconfigured lun_disk_connected container ram cpu created_on \
                    modified_on project db_host url";
        let mut wanted: Vec<_> = keys.split_whitespace().collect();
        wanted.sort_unstable();
        let mut found: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, wanted);
        assert_eq!(object["leased_until"], "2020-09-13T12:26:40.000001+00:00");
        assert_eq!((object["ready"].as_bool(), object["power_state"].as_str()), (Some(true), Some("on")));
        assert!(object["pool_id"].is_null() && object["url"].is_null());
    }
}
