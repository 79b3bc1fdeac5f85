//! `ProviderService`.

use std::sync::Arc;

use sprout_app::{App, ports::MachineFilter};
use sprout_domain::{machine::order::Order, user::User};
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

impl ProviderApi {
    /// Has something done to a machine that is no appliance; returns the workflow that does it.
    async fn order(
        &self,
        caller: &User,
        order: Order,
        (provider, name): (String, String),
        confirm_name: &str,
    ) -> Result<u64, Status> {
        let provider = text("provider", provider).map_err(status)?.as_str().into();
        let name = text("name", name).map_err(status)?;
        let workflow = self.app.order(caller, &provider, &name, order, confirm_name).await.map_err(status)?;
        Ok(workflow.into())
    }
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

    async fn start_machine(
        &self,
        request: Request<proto::StartMachineRequest>,
    ) -> Result<Response<proto::StartMachineResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let proto::StartMachineRequest { provider, name } = request.into_inner();
        let workflow_id = self.order(&caller, Order::Start, (provider, name), "").await?;
        Ok(Response::new(proto::StartMachineResponse { workflow_id }))
    }

    async fn stop_machine(
        &self,
        request: Request<proto::StopMachineRequest>,
    ) -> Result<Response<proto::StopMachineResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let proto::StopMachineRequest { provider, name } = request.into_inner();
        let workflow_id = self.order(&caller, Order::Stop, (provider, name), "").await?;
        Ok(Response::new(proto::StopMachineResponse { workflow_id }))
    }

    async fn delete_machine(
        &self,
        request: Request<proto::DeleteMachineRequest>,
    ) -> Result<Response<proto::DeleteMachineResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let proto::DeleteMachineRequest { provider, name, confirm_name } = request.into_inner();
        let workflow_id = self.order(&caller, Order::Delete, (provider, name), &confirm_name).await?;
        Ok(Response::new(proto::DeleteMachineResponse { workflow_id }))
    }
}
