//! Timelines: events of one thing, read from the ends of its indexes.

use async_trait::async_trait;
use sprout_app::ports::{About, Page, TimelineFilter, TimelineRows};
use sprout_domain::{Result, event::Event};

use crate::{
    convert::{Named, limit},
    entities::event::Model,
    tx::{Clauses, SeaTx},
};

#[async_trait]
impl TimelineRows for SeaTx {
    async fn timeline(&mut self, filter: &TimelineFilter, page: Page) -> Result<Vec<Event>> {
        let mut values = Clauses::default();
        let mut parts = Vec::new();
        match &filter.about {
            About::All => parts.push("from events e where true".to_owned()),
            About::Pool(id) => {
                let pool = values.parameter(id.0);
                parts.push(format!("from events e where e.pool_id = {pool}"));
                // Also what happened to them before they were the pool's.
                parts
                    .push(format!("from appliances a join events e on e.appliance_id = a.id where a.pool_id = {pool}"));
            }
            About::Appliance(id, pool) => {
                parts.push(format!("from events e where e.appliance_id = {}", values.parameter(id.0)));
                if let Some(pool) = pool {
                    let pool = values.parameter(pool.0);
                    parts.push(format!("from events e where e.pool_id = {pool} and e.appliance_id is null"));
                }
            }
            About::Provider(key) => {
                let key = values.parameter(key.0.as_str());
                parts.push(format!("from events e where e.provider = {key} and e.appliance_id is null"));
            }
        }
        let mut more = values;
        if !filter.kinds.is_empty() {
            let kinds = self.texts(filter.kinds.iter().map(|kind| kind.name()));
            more.among(self, "e.kind", kinds);
        }
        if let Some(before) = page.before {
            more.add("e.sequence < ?", before);
        }
        let limit = more.parameter(limit(page.limit));
        let conditions = more.conditions();
        // Ordered reads of indexes, instead of one read of everything there is.
        let heads: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(n, part)| {
                format!(
                    "select * from (select e.* {part} and {conditions} order by e.sequence desc limit {limit}) as part_{n}"
                )
            })
            .collect();
        let sql = format!("select * from ({}) as parts order by sequence desc limit {limit}", heads.join(" union "));
        let rows: Vec<Model> = self.rows(&sql, more.values).await?;
        rows.into_iter().map(Event::try_from).collect()
    }
}
