//! `EventService`.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use sprout_app::App;
use sprout_proto::event::{self as proto, event_service_server::EventService};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    auth,
    convert::{
        Wire,
        event::{Timeline, Watch, sequence},
    },
    drain::Draining,
    page::PageRequest,
    status::status,
    stream::{BoxStream, streaming},
};

/// Serves events.
pub(crate) struct EventApi {
    pub(crate) app: Arc<App>,
    pub(crate) draining: Draining,
}

#[async_trait]
impl EventService for EventApi {
    type WatchStream = BoxStream<proto::WatchResponse>;

    async fn watch(&self, request: Request<proto::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = auth::user(request.extensions())?;
        let Watch { filter, after } = Wire(request.into_inner()).try_into().map_err(status)?;
        let events = self.app.events(&caller, filter, after).await.map_err(status)?;
        let start = proto::WatchResponse { event: None, sequence: sequence(events.sequence()) };
        let later =
            stream::try_unfold(events, |mut events| async { Ok(Some((Wire(events.next().await?).into(), events))) });
        let sent = stream::once(async { Ok(start) }).chain(later.map_err(status));
        Ok(streaming(sent, self.draining.clone()))
    }

    async fn list_events(
        &self,
        request: Request<proto::ListEventsRequest>,
    ) -> Result<Response<proto::ListEventsResponse>, Status> {
        let caller = auth::user(request.extensions())?;
        let request = request.into_inner();
        let page = PageRequest::read(request.page_size, &request.page_token).map_err(status)?;
        let Timeline { subject, kinds } = Wire(request).try_into().map_err(status)?;
        let mut found = self.app.timeline(&caller, subject, kinds, page.rows()).await.map_err(status)?;
        let next_page_token = page.cut(&mut found, |event| event.sequence);
        let events = found.into_iter().map(|event| Wire(event).into()).collect();
        Ok(Response::new(proto::ListEventsResponse { events, next_page_token }))
    }
}
