//! `AuditService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::audit::{self as proto, audit_service_server::AuditService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    convert::{Wire, audit::Records},
    status::status,
};

/// Serves the audit log.
pub(crate) struct AuditApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl AuditService for AuditApi {
    async fn list_records(
        &self,
        request: Request<proto::ListRecordsRequest>,
    ) -> Result<Response<proto::ListRecordsResponse>, Status> {
        let Records { filter, page } = Wire(request.into_inner()).try_into().map_err(status)?;
        let mut records = self.app.records(&filter, page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut records, |record| record.id);
        let records = records.into_iter().map(|record| Wire(record).into()).collect();
        Ok(Response::new(proto::ListRecordsResponse { records, next_page_token }))
    }
}
