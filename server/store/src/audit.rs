//! Audit records: appended, read from the newest on, and pruned from the oldest.

use async_trait::async_trait;
use sprout_app::ports::{AuditRows, Page, RecordFilter};
use sprout_domain::{
    Result, Timestamp,
    audit::{DONE, NewRecord, Record},
};

use crate::{
    convert::limit,
    entities::audit_record::Model,
    tx::{Clauses, SeaTx},
};

impl From<Model> for Record {
    fn from(row: Model) -> Self {
        let Model { id, at, user_name, token_name, peer, method, request, result, message } = row;
        Self { id, at, fact: NewRecord { user: user_name, token: token_name, peer, method, request, result, message } }
    }
}

#[async_trait]
impl AuditRows for SeaTx {
    async fn append_records(&mut self, records: Vec<NewRecord>) -> Result<()> {
        let row = |record: NewRecord| {
            let NewRecord { user, token, peer, method, request, result, message } = record;
            let texts = [user, token, peer, method, request, result, message];
            // PostgreSQL cannot keep it in a text.
            let texts = texts.into_iter().map(|text| text.replace('\0', "\u{fffd}").into());
            std::iter::once(self.time(self.now)).chain(texts).collect()
        };
        let target = "audit_records (at, user_name, token_name, peer, method, request, result, message)";
        self.insert(target, records.into_iter().map(row).collect(), "").await?;
        Ok(())
    }

    async fn records(&mut self, filter: &RecordFilter, page: Page) -> Result<Vec<Record>> {
        let mut clauses = Clauses::default();
        clauses.add("id < ?", page.before.unwrap_or(i64::MAX));
        if let Some(user) = &filter.user {
            clauses.add("user_name = ?", user.as_str());
        }
        if let Some(method) = &filter.method {
            let position = if self.on_postgres() { "strpos" } else { "instr" };
            clauses.add(&format!("{position}(lower(method), ?) > 0"), method.to_lowercase());
        }
        if filter.refused {
            clauses.add("result <> ?", DONE);
        }
        if let Some(since) = filter.since {
            clauses.add("at >= ?", self.time(since));
        }
        let most = clauses.parameter(limit(page.limit));
        let sql = format!("select * from audit_records where {} order by id desc limit {most}", clauses.conditions());
        let rows: Vec<Model> = self.rows(&sql, clauses.values).await?;
        Ok(rows.into_iter().map(Record::from).collect())
    }

    async fn prune_records(&mut self, before: Timestamp, most: u64) -> Result<u64> {
        let sql = "delete from audit_records
                   where id in (select id from audit_records where at < $1 order by at limit $2)";
        self.run(sql, [self.time(before), limit(most).into()]).await
    }
}
