//! Watching one appliance.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use sprout_domain::{
    ApplianceId, Result,
    appliance::{Appliance, ApplianceState},
    user::User,
};

use crate::{
    App,
    ports::{ApplianceBy, EventFilter},
};

/// An appliance each time it changed, with the sentence of the last change.
pub type ApplianceStream = std::pin::Pin<Box<dyn Stream<Item = Result<(Appliance, String)>> + Send>>;

impl App {
    /// The appliance now and each time it or its pool as a whole changed, until it is gone.
    pub async fn watch_appliance(self: &Arc<Self>, caller: &User, id: ApplianceId) -> Result<ApplianceStream> {
        let by = ApplianceBy::Id(id);
        let pool = self.appliance(caller, &by).await?.pool_id;
        let filter = EventFilter { appliance_id: Some(id), whole_pool: pool, ..EventFilter::default() };
        // Listening starts before the first look, so that no change falls between the two.
        let mut events = self.events(caller, filter, None).await?;
        let first = self.appliance(caller, &by).await?;
        events.follow_pool(first.pool_id);
        let (app, caller) = (self.clone(), caller.clone());
        let ended = first.state == ApplianceState::Gone;
        let later = stream::unfold((events, ended), move |(mut events, ended)| {
            let (app, caller, by) = (app.clone(), caller.clone(), by.clone());
            async move {
                if ended {
                    return None;
                }
                let message = match events.next_many().await {
                    Ok(batch) => batch.last().map(|event| event.fact.message.clone()).unwrap_or_default(),
                    Err(error) => return Some((Err(error), (events, true))),
                };
                let now = app.appliance(&caller, &by).await;
                let ended = now.as_ref().map_or(true, |appliance| appliance.state == ApplianceState::Gone);
                if let Ok(appliance) = &now {
                    events.follow_pool(appliance.pool_id);
                }
                Some((now.map(|appliance| (appliance, message)), (events, ended)))
            }
        });
        Ok(stream::once(async move { Ok((first, String::new())) }).chain(later).boxed())
    }
}
