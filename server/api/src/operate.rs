//! What all operations on appliances have in common on the wire.

use std::sync::Arc;

use sprout_app::App;
use sprout_domain::{ApplianceId, operation::Operation};
use sprout_proto::appliance as proto;
use tonic::{Request, Status};

use crate::{
    auth,
    convert::{Wire, id},
    status::status,
};

/// Begins an operation on the appliance of this id; returns the appliance, and the workflow that does it.
pub(crate) async fn operate<T: Sync>(
    app: &Arc<App>,
    request: &Request<T>,
    appliance: u64,
    operation: Operation,
) -> Result<(proto::Appliance, Option<u64>), Status> {
    let caller = auth::user(request.extensions())?;
    let appliance = ApplianceId(id("id", appliance).map_err(status)?);
    let (appliance, workflow) = app.operate(&caller, appliance, operation).await.map_err(status)?;
    Ok((Wire(appliance).into(), workflow.map(Into::into)))
}
