//! `sproutctl appliance …`, and how an appliance is named.

pub(crate) mod console;
pub(crate) mod describe;
pub(crate) mod events;
pub(crate) mod extend;
pub(crate) mod forget;
pub(crate) mod get;
pub(crate) mod hold;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod operate;
pub(crate) mod unhold;
pub(crate) mod watch;

use std::net::IpAddr;

use sprout_client::{
    ClientError, Code, Connection,
    proto::appliance::{Appliance, GetApplianceRequest, get_appliance_request::By},
};

use crate::{failure::Failure, output::appliance::ApplianceView};

/// Finds an appliance by what was typed: an id, an IP address, else a name, else a host name.
async fn find(connection: &Connection, typed: &str) -> Result<ApplianceView, Failure> {
    let by = match (typed.parse::<u64>(), typed.parse::<IpAddr>()) {
        (Ok(id), _) => By::Id(id),
        (_, Ok(_)) => By::Address(typed.to_owned()),
        _ => By::Name(typed.to_owned()),
    };
    let is_name = matches!(by, By::Name(_));
    match ask(connection, by).await {
        Err(error) if is_name && error.code() == Code::NotFound => {
            // The first error is the one about what people mostly type.
            let by_host = ask(connection, By::Address(typed.to_owned())).await;
            appliance_of(by_host.map_err(|_| error)?)
        }
        found => appliance_of(found?),
    }
}

async fn ask(connection: &Connection, by: By) -> Result<Option<Appliance>, ClientError> {
    let answer = connection.appliances().get_appliance(GetApplianceRequest { by: Some(by) }).await;
    Ok(answer.map_err(|status| connection.explain(status))?.into_inner().appliance)
}

/// The appliance of an answer.
fn appliance_of(appliance: Option<Appliance>) -> Result<ApplianceView, Failure> {
    appliance.map(ApplianceView::from).ok_or(Failure::Incomplete("appliance"))
}
