//! `AuditService`.

use sprout_proto::audit::{self as proto, audit_service_server::AuditService};
use tonic::{Request, Response, Status, async_trait};

use crate::status::unbuilt;

/// Serves the audit log.
pub(crate) struct AuditApi;

#[async_trait]
impl AuditService for AuditApi {
    async fn list_records(
        &self,
        _: Request<proto::ListRecordsRequest>,
    ) -> Result<Response<proto::ListRecordsResponse>, Status> {
        Err(unbuilt())
    }
}
