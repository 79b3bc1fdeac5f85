//! A canned answer on configuration.

use sprout_client::proto::config::{self, ConfigStatus, config_service_server::ConfigService};
use tonic::{Request, Response};

use super::{Answer, Fake, at};

#[tonic::async_trait]
impl ConfigService for Fake {
    async fn get_config_status(
        &self,
        _: Request<config::GetConfigStatusRequest>,
    ) -> Answer<config::GetConfigStatusResponse> {
        let status = ConfigStatus {
            loaded_at: Some(at(1_700_000_000)),
            files: vec!["sprout.yaml".into(), "cfme_data.eyaml".into()],
            notes: vec!["a.eyaml is not used".into()],
            waiting_for_restart: vec!["listen".into()],
            refused_at: Some(at(1_700_000_060)),
            mistakes: vec!["sprout.yaml:2:3: unknown key `listn`".into()],
        };
        Ok(Response::new(config::GetConfigStatusResponse { status: Some(status) }))
    }
}
