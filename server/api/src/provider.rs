//! `ProviderService`.

use std::sync::Arc;

use sprout_app::{App, ports::MachineFilter};
use sprout_proto::provider::{self as proto, provider_service_server::ProviderService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{Wire, machine::kinds, text},
    page::NamePage,
    status::status,
};

/// Serves providers.
pub(crate) struct ProviderApi {
    pub(crate) app: Arc<App>,
}

#[async_trait]
impl ProviderService for ProviderApi {
    async fn list_providers(
        &self,
        request: Request<proto::ListProvidersRequest>,
    ) -> Result<Response<proto::ListProvidersResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let providers = self.app.providers(&caller).await.map_err(status)?;
        let providers = providers.into_iter().map(|provider| Wire(provider).into()).collect();
        Ok(Response::new(proto::ListProvidersResponse { providers }))
    }

    async fn get_provider(
        &self,
        request: Request<proto::GetProviderRequest>,
    ) -> Result<Response<proto::GetProviderResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let key = text("key", request.into_inner().key).map_err(status)?;
        let provider = self.app.provider(&caller, &key.as_str().into()).await.map_err(status)?;
        Ok(Response::new(proto::GetProviderResponse { provider: Some(Wire(provider).into()) }))
    }

    async fn check_provider(
        &self,
        request: Request<proto::CheckProviderRequest>,
    ) -> Result<Response<proto::CheckProviderResponse>, Status> {
        let key = text("key", request.into_inner().key).map_err(status)?;
        let workflow = self.app.check_provider(&key.as_str().into()).await.map_err(status)?;
        Ok(Response::new(proto::CheckProviderResponse { workflow_id: workflow.into() }))
    }

    async fn check_providers(
        &self,
        _: Request<proto::CheckProvidersRequest>,
    ) -> Result<Response<proto::CheckProvidersResponse>, Status> {
        let workflow = self.app.check_providers().await.map_err(status)?;
        Ok(Response::new(proto::CheckProvidersResponse { workflow: Some(Wire(workflow).into()) }))
    }

    async fn update_provider(
        &self,
        request: Request<proto::UpdateProviderRequest>,
    ) -> Result<Response<proto::UpdateProviderResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let proto::UpdateProviderRequest { key, disabled, hidden } = request.into_inner();
        let key = text("key", key).map_err(status)?.as_str().into();
        let provider = self.app.switch_provider(&caller, &key, disabled, hidden).await.map_err(status)?;
        Ok(Response::new(proto::UpdateProviderResponse { provider: Some(Wire(provider).into()) }))
    }

    async fn close_circuit(
        &self,
        request: Request<proto::CloseCircuitRequest>,
    ) -> Result<Response<proto::CloseCircuitResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let key = text("key", request.into_inner().key).map_err(status)?.as_str().into();
        let provider = self.app.close_circuit(&caller, &key).await.map_err(status)?;
        Ok(Response::new(proto::CloseCircuitResponse { provider: Some(Wire(provider).into()) }))
    }

    async fn list_machines(
        &self,
        request: Request<proto::ListMachinesRequest>,
    ) -> Result<Response<proto::ListMachinesResponse>, Status> {
        let request = request.into_inner();
        let page = NamePage::read(request.page_size, &request.page_token).map_err(status)?;
        let provider = text("provider", request.provider).map_err(status)?.as_str().into();
        let filter = MachineFilter { provider, kinds: kinds(request.kinds).map_err(status)? };
        let mut machines = self.app.machines(&filter, &page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut machines, |view| &view.machine.name);
        let machines = machines.into_iter().map(|view| Wire(view).into()).collect();
        Ok(Response::new(proto::ListMachinesResponse { machines, next_page_token }))
    }
}
