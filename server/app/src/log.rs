//! Reading logs.

use sprout_domain::{ApplianceId, Result, user::User};
use tokio::sync::watch;

use crate::{
    App,
    appliance::visible,
    ports::{ApplianceBy, LogOf},
};

impl App {
    /// Appends lines to a log.
    pub async fn log(&self, of: &LogOf, lines: Vec<String>) {
        self.ports.logs.append(of, lines).await;
    }

    /// Lines of an appliance's log from a byte position on, at most `limit`, and the position after them.
    pub async fn appliance_log(
        &self,
        caller: &User,
        id: ApplianceId,
        position: u64,
        limit: usize,
    ) -> Result<(Vec<String>, u64)> {
        let mut tx = self.ports.store.read().await?;
        visible(tx.as_mut(), caller, &ApplianceBy::Id(id)).await?;
        drop(tx);
        self.ports.logs.read(&LogOf::Appliance(id), position, limit).await
    }

    /// A receiver that is marked changed when any log grew.
    pub fn logs_changed(&self) -> watch::Receiver<u64> {
        self.ports.logs.changed()
    }
}
