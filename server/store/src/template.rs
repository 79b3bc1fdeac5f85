//! Templates: kept equal to what a provider lists.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::Value;
use sprout_app::ports::{FoundTemplate, TemplateFilter, TemplateRows};
use sprout_domain::{
    ApplianceId, Error, ProviderKey, Result, TemplateId, Visible, template::Template, version::Version,
};

use crate::{
    convert::{count, variant},
    entities::template::Model,
    tx::{Clauses, SeaTx},
};

impl TryFrom<Model> for Template {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Self {
            id: TemplateId(row.id),
            name: row.name,
            provider: ProviderKey(row.provider),
            group: (&*row.group_name).into(),
            version: Version::new(row.version),
            date: row.build_date,
            state: variant(&row.state)?,
            found_at: row.found_at,
            template_type: variant(&row.template_type)?,
            unconfigured: row.unconfigured,
            failure_count: count(row.failure_count)?,
            quarantine_reason: row.quarantine_reason,
            specimen_id: row.specimen_id.map(ApplianceId),
            next_try_at: row.next_try_at,
            suggested_for_deletion: row.suggested_for_deletion,
        })
    }
}

/// Whether a row says the same already.
fn same(row: &Model, found: &FoundTemplate) -> bool {
    row.state != "gone"
        && row.group_name == found.group.0
        && row.version == found.version.as_str()
        && row.build_date == found.date
}

#[async_trait]
impl TemplateRows for SeaTx {
    async fn sync_templates(&mut self, provider: &ProviderKey, found: &[FoundTemplate]) -> Result<u64> {
        let rows: Vec<Model> =
            self.rows("select * from templates where provider = $1", [provider.0.as_str().into()]).await?;
        let found: BTreeMap<&str, &FoundTemplate> = found.iter().map(|found| (&*found.name, found)).collect();
        let known: BTreeMap<&str, &Model> = rows.iter().map(|row| (&*row.name, row)).collect();

        let row = |found: &FoundTemplate| -> Vec<Value> {
            vec![
                found.name.as_str().into(),
                provider.0.as_str().into(),
                found.group.0.as_str().into(),
                found.version.as_str().into(),
                found.date.into(),
                "ready".into(),
                self.time(self.now),
            ]
        };
        let changed = found.values().filter(|found| !known.get(&*found.name).is_some_and(|row| same(row, found)));
        let changed: Vec<_> = changed.map(|found| row(found)).collect();
        let rest = "on conflict (provider, name) do update set
                        group_name = excluded.group_name, version = excluded.version, build_date = excluded.build_date,
                        state = case when templates.state = 'gone' then excluded.state else templates.state end";
        let target = "templates (name, provider, group_name, version, build_date, state, found_at)";
        let written = self.insert(target, changed, rest).await?;

        let gone = rows.iter().filter(|row| row.state != "gone" && !found.contains_key(&*row.name));
        let gone: Vec<i64> = gone.map(|row| row.id).collect();
        if gone.is_empty() {
            return Ok(written);
        }
        let sql = format!(
            "update templates set state = 'gone', failure_count = 0, quarantine_tries = 0, quarantine_reason = '', specimen_id = null,
                                  next_try_at = null where id {}",
            self.among(1)
        );
        Ok(written + self.run(&sql, [self.numbers(gone)]).await?)
    }

    async fn template(&mut self, id: TemplateId) -> Result<Option<Template>> {
        let row: Option<Model> = self.row("select * from templates where id = $1", [id.0.into()]).await?;
        row.map(Template::try_from).transpose()
    }

    async fn templates(&mut self, filter: &TemplateFilter) -> Result<Vec<Template>> {
        let mut conditions = Clauses::default();
        if let Some(group) = &filter.group {
            conditions.add("group_name = ?", group.0.as_str());
        }
        if let Some(provider) = &filter.provider {
            conditions.add("provider = ?", provider.0.as_str());
        }
        if let Some(version) = &filter.version {
            conditions.add("version = ?", version.as_str());
        }
        if let Some(date) = filter.date {
            conditions.add("build_date = ?", date);
        }
        if !filter.with_gone {
            conditions.plain("state = 'ready'");
        }
        if filter.usable_only {
            conditions.plain("provider in (select key from providers where working and not disabled and not switched_off and not hidden)");
        }
        if let Visible::Only(seen) = &filter.visible {
            conditions.among(self, "provider", self.texts(seen.iter().map(|key| &*key.0)));
        }
        let sql = format!("select * from templates where {} order by id desc", conditions.conditions());
        let rows: Vec<Model> = self.rows(&sql, conditions.values).await?;
        rows.into_iter().map(Template::try_from).collect()
    }
}
