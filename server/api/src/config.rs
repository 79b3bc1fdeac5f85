//! `ConfigService`.

use std::sync::Arc;

use sprout_app::App;
use sprout_proto::config::{self as proto, config_service_server::ConfigService};
use tonic::{Request, Response, Status, async_trait};

use crate::convert::Wire;

/// Serves the state of configuration.
pub(crate) struct ConfigApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl ConfigService for ConfigApi {
    async fn get_config_status(
        &self,
        _: Request<proto::GetConfigStatusRequest>,
    ) -> Result<Response<proto::GetConfigStatusResponse>, Status> {
        let status = self.app.configuration().map(|configuration| Wire(configuration).into());
        Ok(Response::new(proto::GetConfigStatusResponse { status }))
    }
}
