//! `CatalogueService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_domain::{Error, GroupName};
use sprout_proto::catalogue::{self as proto, catalogue_service_server::CatalogueService};
use tonic::{Request, Response, Status, async_trait};

use crate::{convert::Wire, status::status};

/// Names that are read in one call.
const NAMES: usize = 1000;
/// Bytes of one of them.
const LONGEST: usize = 1000;

/// Serves catalogues.
pub(crate) struct CatalogueApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl CatalogueService for CatalogueApi {
    async fn sync(&self, _: Request<proto::SyncRequest>) -> Result<Response<proto::SyncResponse>, Status> {
        let job = self.app.ask_for_sync().await.map_err(status)?;
        Ok(Response::new(proto::SyncResponse { job: Some(Wire(job).into()) }))
    }

    async fn get_status(
        &self,
        _: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::GetStatusResponse>, Status> {
        let found = self.app.catalogue_status().await.map_err(status)?;
        Ok(Response::new(Wire(found).into()))
    }

    async fn read_names(
        &self,
        request: Request<proto::ReadNamesRequest>,
    ) -> Result<Response<proto::ReadNamesResponse>, Status> {
        let names = request.into_inner().names;
        if names.is_empty() || names.len() > NAMES || names.iter().any(|name| name.is_empty() || name.len() > LONGEST) {
            let message = format!("give 1 to {NAMES} names, each of 1 to {LONGEST} bytes");
            return Err(status(Error::invalid("names", message)));
        }
        let groups = &self.app.catalogue().groups;
        let readings = self.app.read_names(&names).into_iter().zip(names).map(|(reading, name)| {
            let mut told: proto::NameReading = Wire((name, reading)).into();
            told.group_exists = groups.contains_key(&GroupName(told.stream.clone()));
            told
        });
        Ok(Response::new(proto::ReadNamesResponse { readings: readings.collect() }))
    }
}
