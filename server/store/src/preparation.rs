//! Templates that are prepared from others, and the appliances that become them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use sprout_app::ports::{NewPrepared, PreparationRows, UnderWay};
use sprout_domain::{
    ApplianceId, Error, GroupName, ProviderKey, Reason, Result, TemplateId, Timestamp, WorkflowId,
    template::{Preparations, Template},
    workflow::StepKind,
};

use crate::{
    convert::{Named as _, count, variant},
    entities::template::Model,
    shepherd::DISABLED,
    tx::SeaTx,
};

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

#[derive(FromQueryResult)]
struct UnderWayRow {
    template_id: i64,
    appliance_id: i64,
    workflow_id: i64,
    step: Option<String>,
}

#[derive(FromQueryResult)]
struct Counted {
    provider: String,
    number: i64,
}

#[derive(FromQueryResult)]
struct BuildRow {
    provider: String,
    build: String,
}

fn templates(rows: Vec<Model>) -> Result<Vec<Template>> {
    rows.into_iter().map(Template::try_from).collect()
}

#[async_trait]
impl PreparationRows for SeaTx {
    async fn insert_preparing(&mut self, new: &NewPrepared) -> Result<Template> {
        let row = vec![
            new.name.as_str().into(),
            new.provider.0.as_str().into(),
            new.group.0.as_str().into(),
            new.version.as_str().into(),
            new.date.into(),
            "preparing".into(),
            self.time(self.now),
            new.template_type.name().into(),
            new.parent_id.map(|id| id.0).into(),
            new.build.as_str().into(),
            new.said.unusable.as_str().into(),
            new.said.ga_released.into(),
            new.said.custom_data.as_str().into(),
        ];
        let target =
            "templates (name, provider, group_name, version, build_date, state, found_at, type, parent_id, build,
                                 unusable, ga_released, custom_data)";
        let inserted: Vec<Model> =
            self.insert_returning(target, vec![row], "on conflict do nothing returning *").await?;
        let taken = || Error::new(Reason::Conflict, "a template of this name, or of the same parent, is being made");
        templates(inserted)?.pop().ok_or_else(taken)
    }

    async fn preparing_of(&mut self, parent: TemplateId) -> Result<Option<Template>> {
        let sql = "select * from templates where parent_id = $1 and state = 'preparing'";
        let row: Option<Model> = self.row(sql, [parent.0.into()]).await?;
        row.map(Template::try_from).transpose()
    }

    async fn preparations(&mut self, templates: &[TemplateId]) -> Result<Vec<UnderWay>> {
        if templates.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "select a.prepares as template_id, a.id as appliance_id, w.id as workflow_id,
                    (select t.step from tasks t where t.workflow_id = w.id and t.state not in ('done', 'failed', 'cancelled')
                     order by t.position limit 1) as step
             from appliances a join workflows w on w.appliance_id = a.id and w.kind = 'prepare' and w.finished_at is null
             where a.prepares is not null and a.prepares {} order by a.prepares",
            self.among(1)
        );
        let rows: Vec<UnderWayRow> = self.rows(&sql, [self.numbers(templates.iter().map(|id| id.0))]).await?;
        rows.into_iter()
            .map(|row| {
                Ok(UnderWay {
                    template_id: TemplateId(row.template_id),
                    appliance_id: ApplianceId(row.appliance_id),
                    workflow_id: WorkflowId(row.workflow_id),
                    step: row.step.as_deref().map(variant::<StepKind>).transpose()?,
                })
            })
            .collect()
    }

    async fn lock_preparing(&mut self, ids: &[TemplateId]) -> Result<Vec<Template>> {
        let sql = format!(
            "select * from templates where state = 'preparing' and id {} order by id{}",
            self.among(1),
            self.locked()
        );
        templates(self.rows(&sql, [self.numbers(ids.iter().map(|id| id.0))]).await?)
    }

    async fn set_prepared(&mut self, id: TemplateId) -> Result<()> {
        let sql = "update templates set state = 'ready', prepared_at = $2 where id = $1 and state = 'preparing'";
        self.run(sql, [id.0.into(), self.time(self.now)]).await?;
        Ok(())
    }

    async fn give_up_preparing(&mut self, id: TemplateId, may_be_there: bool) -> Result<()> {
        let state = if may_be_there { "retiring" } else { "gone" };
        let sql = "update templates set state = $2 where id = $1 and state = 'preparing'";
        self.run(sql, [id.0.into(), state.into()]).await?;
        Ok(())
    }

    async fn was_made(&mut self, appliance: ApplianceId) -> Result<bool> {
        let sql = "select id from tasks where appliance_id = $1 and step = 'make_template' and epoch > 0 limit 1";
        Ok(self.row::<IdRow>(sql, [appliance.0.into()]).await?.is_some())
    }

    async fn set_preparations(&mut self, id: TemplateId, preparations: &Preparations) -> Result<()> {
        let sql =
            "update templates set preparation_failures = $2, preparation_error = $3, prepare_after = $4 where id = $1";
        let values = [
            id.0.into(),
            i64::from(preparations.failures).into(),
            preparations.error.as_str().into(),
            self.optional_time(preparations.not_before),
        ];
        self.run(sql, values).await?;
        Ok(())
    }

    async fn set_verified(&mut self, ids: &[TemplateId], found: &str, correct: bool) -> Result<()> {
        let version = if correct { ", version = $1" } else { "" };
        self.lock_templates(ids.iter().map(|id| id.0)).await?;
        let sql = format!("update templates set verified_version = $1{version} where id {}", self.among(2));
        self.run(&sql, [found.into(), self.numbers(ids.iter().map(|id| id.0))]).await?;
        Ok(())
    }

    async fn set_host_key(&mut self, appliance: ApplianceId, key: &str) -> Result<()> {
        let sql = "update appliances set host_key = $2 where id = $1";
        self.run(sql, [appliance.0.into(), key.into()]).await?;
        Ok(())
    }

    async fn prepared_templates(&mut self, provider: &ProviderKey) -> Result<BTreeMap<String, Template>> {
        let sql = "select * from templates where provider = $1 and prepared_at is not null";
        let found = templates(self.rows(sql, [provider.0.as_str().into()]).await?)?;
        Ok(found.into_iter().map(|template| (template.name.clone(), template)).collect())
    }

    async fn mark_unconfigured(&mut self, provider: &ProviderKey, groups: &[GroupName]) -> Result<u64> {
        let wanted = format!("(prepared_at is null and group_name {})", self.among(2));
        // What somebody else is writing right now is marked with the next check: whoever holds templates waits for no other.
        let sql = format!(
            "update templates set unconfigured = {wanted} where id in
                 (select id from templates where provider = $1 and state not in ('gone', 'preparing') and unconfigured <> {wanted}{})",
            self.locked_skipping()
        );
        self.run(&sql, [provider.0.as_str().into(), self.texts(groups.iter().map(|group| &*group.0))]).await
    }

    async fn preparable_templates(&mut self, groups: &[GroupName]) -> Result<Vec<Template>> {
        let sql = format!(
            "select t.* from templates t join providers p on p.key = t.provider
             where t.state = 'ready' and t.unconfigured and not t.obsolete and t.unusable = '' and t.group_name {}
               and (t.prepare_after is null or t.prepare_after <= $2) and p.working and p.circuit = 'closed' and not {DISABLED}
               and not exists (select 1 from templates c where c.parent_id = t.id and c.state not in ('gone', 'retiring'))
             order by t.build_date desc, t.id desc",
            self.among(1)
        );
        let values = [self.texts(groups.iter().map(|group| &*group.0)), self.time(self.now)];
        templates(self.rows(&sql, values).await?)
    }

    async fn configuring(&mut self) -> Result<BTreeMap<ProviderKey, u32>> {
        let sql = "select provider, count(*) as number from appliances
                   where prepares is not null and state in ('requested', 'cloning', 'starting', 'preparing') group by provider";
        let rows: Vec<Counted> = self.rows(sql, []).await?;
        rows.into_iter().map(|row| Ok((ProviderKey(row.provider), count(row.number)?))).collect()
    }

    async fn builds(&mut self, since: Timestamp) -> Result<BTreeSet<(ProviderKey, String)>> {
        let sql = "select provider, build from templates
                   where build <> '' and (state not in ('gone', 'retiring') or found_at > $1)";
        let rows: Vec<BuildRow> = self.rows(sql, [self.time(since)]).await?;
        Ok(rows.into_iter().map(|row| (ProviderKey(row.provider), row.build)).collect())
    }

    async fn workshop(&mut self, template: TemplateId) -> Result<Option<ApplianceId>> {
        let sql = "select id from appliances where prepares is not null and prepares = $1 order by id desc limit 1";
        Ok(self.row::<IdRow>(sql, [template.0.into()]).await?.map(|row| ApplianceId(row.id)))
    }
}
