//! Templates: kept equal to what a provider lists.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{FoundTemplate, TemplateFilter, TemplateRows};
use sprout_domain::{
    ApplianceId, Error, ProviderKey, Result, TemplateId, Timestamp, Visible, WorkflowId,
    preparation::{VersionFound, compare_versions},
    template::{Preparations, Said, Template},
    version::Version,
};

use crate::{
    convert::{count, limit, variant},
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
            obsolete: row.obsolete,
            parent_id: row.parent_id.map(TemplateId),
            build: row.build,
            verified_version: row.verified_version,
            preparation: Preparations {
                failures: count(row.preparation_failures)?,
                error: row.preparation_error,
                not_before: row.prepare_after,
            },
            said: Said { unusable: row.unusable, ga_released: row.ga_released, custom_data: row.custom_data },
        })
    }
}

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

/// The version to record: where only its suffix was not what is inside, that is known better.
fn version(found: &FoundTemplate, row: Option<&Model>) -> Version {
    let verified = row.map(|row| row.verified_version.as_str()).unwrap_or_default();
    match compare_versions(&found.version, verified) {
        VersionFound::Corrected(inside) => inside,
        VersionFound::Same | VersionFound::Mismatch(_) => found.version.clone(),
    }
}

/// Whether a row says the same already.
fn same(row: &Model, found: &FoundTemplate) -> bool {
    row.state != "gone"
        && row.group_name == found.group.0
        && row.version == version(found, Some(row)).as_str()
        && row.build_date == found.date
        && (&row.unusable, row.ga_released, &row.custom_data)
            == (&found.said.unusable, found.said.ga_released, &found.said.custom_data)
}

impl SeaTx {
    /// Locks templates, in the order in which everyone does who needs several.
    pub(crate) async fn lock_templates(&self, ids: impl IntoIterator<Item = i64> + Send) -> Result<()> {
        let ids: Vec<i64> = ids.into_iter().collect();
        if ids.is_empty() || !self.on_postgres() {
            return Ok(());
        }
        let sql = format!("select id from templates where id {} order by id{}", self.among(1), self.locked());
        self.run(&sql, [self.numbers(ids)]).await?;
        Ok(())
    }
}

#[async_trait]
impl TemplateRows for SeaTx {
    async fn sync_templates(&mut self, provider: &ProviderKey, found: &[FoundTemplate]) -> Result<u64> {
        let rows: Vec<Model> =
            self.rows("select * from templates where provider = $1", [provider.0.as_str().into()]).await?;
        let in_order = found;
        let found: BTreeMap<&str, &FoundTemplate> = found.iter().map(|found| (&*found.name, found)).collect();
        let known: BTreeMap<&str, &Model> = rows.iter().map(|row| (&*row.name, row)).collect();

        let row = |found: &FoundTemplate| -> Vec<Value> {
            vec![
                found.name.as_str().into(),
                provider.0.as_str().into(),
                found.group.0.as_str().into(),
                version(found, known.get(&*found.name).copied()).as_str().into(),
                found.date.into(),
                "ready".into(),
                self.time(self.now),
                found.said.unusable.as_str().into(),
                found.said.ga_released.into(),
                found.said.custom_data.as_str().into(),
            ]
        };
        let mut named = BTreeSet::new();
        let once = in_order.iter().filter(|found| named.insert(&*found.name));
        let changed = once.filter(|found| !known.get(&*found.name).is_some_and(|row| same(row, found)));
        let changed: Vec<_> = changed.collect();
        let ends = |row: &&Model| !matches!(&*row.state, "gone" | "retiring" | "preparing");
        let gone = rows.iter().filter(ends).filter(|row| !found.contains_key(&*row.name));
        let gone: Vec<i64> = gone.map(|row| row.id).collect();
        let touched = changed.iter().filter_map(|found| known.get(&*found.name)).map(|row| row.id);
        self.lock_templates(touched.chain(gone.iter().copied())).await?;
        let rest = "on conflict (provider, name) do update set
                        group_name = excluded.group_name, version = excluded.version, build_date = excluded.build_date,
                        unusable = excluded.unusable, ga_released = excluded.ga_released, custom_data = excluded.custom_data,
                        state = case when templates.state = 'gone' then excluded.state else templates.state end";
        let target = "templates (name, provider, group_name, version, build_date, state, found_at, unusable, ga_released, custom_data)";
        let written = self.insert(target, changed.into_iter().map(row).collect(), rest).await?;
        if gone.is_empty() {
            return Ok(written);
        }
        let sql = format!(
            "update templates set state = 'gone', failure_count = 0, quarantine_tries = 0, quarantine_reason = '', specimen_id = null,
                                  next_try_at = null
             where state not in ('gone', 'retiring', 'preparing') and id {}",
            self.among(1)
        );
        Ok(written + self.run(&sql, [self.numbers(gone)]).await?)
    }

    async fn template(&mut self, id: TemplateId) -> Result<Option<Template>> {
        let row: Option<Model> = self.row("select * from templates where id = $1", [id.0.into()]).await?;
        row.map(Template::try_from).transpose()
    }

    async fn deleted_since(&mut self, provider: &ProviderKey, since: Timestamp) -> Result<Vec<String>> {
        #[derive(FromQueryResult)]
        struct Name {
            name: String,
        }
        let sql = "select name from templates where provider = $1 and state = 'gone' and gone_at >= $2";
        let rows: Vec<Name> = self.rows(sql, [provider.0.as_str().into(), self.time(since)]).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    async fn set_template_gone(&mut self, id: TemplateId) -> Result<()> {
        let sql = "update templates set state = 'gone', gone_at = $2 where id = $1";
        self.run(sql, [id.0.into(), self.time(self.now)]).await?;
        Ok(())
    }

    async fn unowned_appliances(&mut self, id: TemplateId) -> Result<Vec<ApplianceId>> {
        let sql = "select id from appliances
                   where template_id = $1 and state <> 'gone' and state <> 'killing' and pool_id is null order by id";
        let rows: Vec<IdRow> = self.rows(sql, [id.0.into()]).await?;
        Ok(rows.into_iter().map(|row| ApplianceId(row.id)).collect())
    }

    async fn deletable_templates(&mut self, most: u64) -> Result<Vec<WorkflowId>> {
        let sql = "select w.id from templates t
                   join workflows w on w.dedup_key = 'delete_template ' || t.id and w.finished_at is null
                   where t.state = 'retiring'
                     and exists (select 1 from tasks k where k.workflow_id = w.id and k.state = 'blocked')
                     and not exists (select 1 from appliances a where a.template_id = t.id and a.state <> 'gone')
                     and not exists (select 1 from appliances a where a.prepares is not null and a.prepares = t.id and a.state <> 'gone')
                   order by w.id limit $1";
        let rows: Vec<IdRow> = self.rows(sql, [limit(most).into()]).await?;
        Ok(rows.into_iter().map(|row| WorkflowId(row.id)).collect())
    }

    async fn undeleted_templates(&mut self) -> Result<Vec<Template>> {
        let sql = "select t.* from templates t where t.state = 'retiring' and not exists
                       (select 1 from workflows w where w.dedup_key = 'delete_template ' || t.id and w.finished_at is null)
                   order by t.id";
        let rows: Vec<Model> = self.rows(sql, []).await?;
        rows.into_iter().map(Template::try_from).collect()
    }

    async fn standing_templates(&mut self) -> Result<Vec<Template>> {
        let rows: Vec<Model> = self.rows("select * from templates where state <> 'gone' order by id", []).await?;
        rows.into_iter().map(Template::try_from).collect()
    }

    async fn mark_templates(&mut self, suggested: &[TemplateId], obsolete: &[TemplateId]) -> Result<u64> {
        let (suggests, disuses) = (self.among(1), self.among(2));
        // What somebody else is writing right now is marked the next time: whoever holds templates waits for no other.
        let sql = format!(
            "update templates set suggested_for_deletion = (id {suggests}), obsolete = (id {disuses}) where id in
                 (select id from templates
                  where state <> 'gone' and (suggested_for_deletion <> (id {suggests}) or obsolete <> (id {disuses})){})",
            self.locked_skipping()
        );
        let ids = |ids: &[TemplateId]| self.numbers(ids.iter().map(|id| id.0));
        self.run(&sql, [ids(suggested), ids(obsolete)]).await
    }

    async fn templates_by_id(&mut self, ids: &[TemplateId]) -> Result<Vec<Template>> {
        let sql = format!("select * from templates where id {} order by id", self.among(1));
        let rows: Vec<Model> = self.rows(&sql, [self.numbers(ids.iter().map(|id| id.0))]).await?;
        rows.into_iter().map(Template::try_from).collect()
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
            conditions.plain("state = 'ready' and not obsolete and unusable = ''");
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
