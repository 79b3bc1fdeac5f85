//! Timelines: events of one thing, read from the ends of its indexes.

use async_trait::async_trait;
use sprout_app::ports::{About, Page, TimelineFilter, TimelineRows};
use sprout_domain::{Result, event::Event};

use crate::{
    convert::{Named, limit},
    tx::{Clauses, SeaTx},
};

#[async_trait]
impl TimelineRows for SeaTx {
    async fn timeline(&mut self, filter: &TimelineFilter, page: Page) -> Result<Vec<Event>> {
        let mut clauses = Clauses::default();
        let mut parts = Vec::new();
        match &filter.about {
            About::All => parts.push("from events e where true".to_owned()),
            About::Pool(id) => {
                let pool = clauses.parameter(id.0);
                parts.push(format!("from events e where e.pool_id = {pool}"));
                // Also what happened to them before they were the pool's.
                parts
                    .push(format!("from appliances a join events e on e.appliance_id = a.id where a.pool_id = {pool}"));
            }
            About::Appliance(id, pool) => {
                parts.push(format!("from events e where e.appliance_id = {}", clauses.parameter(id.0)));
                if let Some(pool) = pool {
                    let pool = clauses.parameter(pool.0);
                    parts.push(format!("from events e where e.pool_id = {pool} and e.appliance_id is null"));
                }
            }
            About::Provider(key) => {
                let key = clauses.parameter(key.0.as_str());
                parts.push(format!("from events e where e.provider = {key} and e.appliance_id is null"));
            }
            About::Told(_) => {}
        }
        if !filter.kinds.is_empty() {
            let kinds = self.texts(filter.kinds.iter().map(|kind| kind.name()));
            clauses.among(self, "e.kind", kinds);
        }
        if let Some(before) = page.before {
            clauses.add("e.sequence < ?", before);
        }
        let order = format!("order by e.sequence desc limit {}", clauses.parameter(limit(page.limit)));
        // Ordered reads of indexes, instead of one read of everything there is.
        let heads = if let About::Told(told) = &filter.about {
            self.told(told, &mut clauses, &order)
        } else {
            let conditions = clauses.conditions();
            parts.iter().map(|part| format!("select e.* {part} and {conditions} {order}")).collect()
        };
        self.merged(&heads, clauses.values, &order).await
    }
}
