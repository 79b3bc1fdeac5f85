//! Circuits of providers and quarantines of templates.

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use sprout_app::ports::{TrialRows, Troubled};
use sprout_domain::{
    ApplianceId, ProviderKey, Result, TemplateId, Timestamp, provider::Circuit, quarantine::Trial, template::Template,
};

use crate::{
    convert::{Named as _, count, variant},
    entities::{provider::Model as ProviderRow, template::Model as TemplateRow},
    tx::{Clauses, SeaTx},
};

/// Circuits that are not closed, in words that the partial index has too.
const NOT_CLOSED: &str = "circuit <> 'closed'";

#[derive(FromQueryResult)]
struct KeyRow {
    key: String,
}

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

#[derive(FromQueryResult)]
struct AtRow {
    at: Option<Timestamp>,
}

/// The circuit of a provider's row.
pub(crate) fn circuit(row: &ProviderRow) -> Result<Circuit> {
    Ok(Circuit {
        state: variant(&row.circuit)?,
        failures: count(row.circuit_failures)?,
        openings: count(row.circuit_openings)?,
        reason: row.circuit_reason.clone(),
        next_try_at: row.circuit_next_try_at,
    })
}

fn trial(row: &TemplateRow) -> Result<Trial> {
    Ok(Trial {
        state: variant(&row.state)?,
        failures: count(row.failure_count)?,
        tries: count(row.quarantine_tries)?,
        reason: row.quarantine_reason.clone(),
        specimen_id: row.specimen_id.map(ApplianceId),
        next_try_at: row.next_try_at,
    })
}

fn troubled(providers: Vec<KeyRow>, templates: Vec<IdRow>) -> Troubled {
    Troubled {
        providers: providers.into_iter().map(|row| ProviderKey(row.key)).collect(),
        templates: templates.into_iter().map(|row| TemplateId(row.id)).collect(),
    }
}

#[async_trait]
impl TrialRows for SeaTx {
    async fn troubled(&mut self, providers: &[ProviderKey], appliances: &[ApplianceId]) -> Result<Troubled> {
        let sql = format!(
            "select key from providers where ({NOT_CLOSED} or circuit_failures > 0) and key {} order by key",
            self.among(1)
        );
        let providers = self.rows(&sql, [self.texts(providers.iter().map(|key| &*key.0))]).await?;
        let sql = format!(
            "select id from templates where (state = 'quarantined' or failure_count > 0)
                 and id in (select template_id from appliances where id {}) order by id",
            self.among(1)
        );
        let templates = self.rows(&sql, [self.numbers(appliances.iter().map(|id| id.0))]).await?;
        Ok(troubled(providers, templates))
    }

    async fn lock_circuit(&mut self, key: &ProviderKey) -> Result<Option<Circuit>> {
        let sql = format!("select * from providers where key = $1{}", self.locked());
        let row: Option<ProviderRow> = self.row(&sql, [key.0.as_str().into()]).await?;
        row.as_ref().map(circuit).transpose()
    }

    async fn set_circuit(&mut self, key: &ProviderKey, circuit: &Circuit) -> Result<()> {
        let sql =
            "update providers set circuit = $2, circuit_failures = $3, circuit_openings = $4, circuit_reason = $5,
                                        circuit_next_try_at = $6 where key = $1";
        let values = [
            key.0.as_str().into(),
            circuit.state.name().into(),
            i64::from(circuit.failures).into(),
            i64::from(circuit.openings).into(),
            circuit.reason.as_str().into(),
            self.optional_time(circuit.next_try_at),
        ];
        self.run(sql, values).await?;
        Ok(())
    }

    async fn lock_trial(&mut self, id: TemplateId) -> Result<Option<(Template, Trial)>> {
        let sql = format!("select * from templates where id = $1{}", self.locked());
        let row: Option<TemplateRow> = self.row(&sql, [id.0.into()]).await?;
        row.map(|row| Ok((row.clone().try_into()?, trial(&row)?))).transpose()
    }

    async fn set_trial(&mut self, id: TemplateId, trial: &Trial) -> Result<()> {
        let sql = "update templates set state = $2, failure_count = $3, quarantine_tries = $4, quarantine_reason = $5, specimen_id = $6,
                                        next_try_at = $7 where id = $1";
        let values = [
            id.0.into(),
            trial.state.name().into(),
            i64::from(trial.failures).into(),
            i64::from(trial.tries).into(),
            trial.reason.as_str().into(),
            trial.specimen_id.map(|id| id.0).into(),
            self.optional_time(trial.next_try_at),
        ];
        self.run(sql, values).await?;
        Ok(())
    }

    async fn due_tries(&mut self) -> Result<Troubled> {
        let now = self.time(self.now);
        let sql = format!("select key from providers where {NOT_CLOSED} and circuit_next_try_at <= $1 order by key");
        let providers = self.rows(&sql, [now.clone()]).await?;
        let sql =
            "select id from templates where state = 'quarantined' and unusable = '' and next_try_at <= $1 order by id";
        let templates = self.rows(sql, [now]).await?;
        Ok(troubled(providers, templates))
    }

    async fn next_try(&mut self) -> Result<Option<Timestamp>> {
        let sql = format!(
            "select min(circuit_next_try_at) as at from providers where {NOT_CLOSED}
             union all select min(next_try_at) as at from templates where state = 'quarantined' and unusable = ''"
        );
        let rows: Vec<AtRow> = self.rows(&sql, []).await?;
        Ok(rows.into_iter().filter_map(|row| row.at).min())
    }

    async fn is_being_deployed(&mut self, template: TemplateId) -> Result<bool> {
        let sql = "select id from appliances
                   where template_id = $1 and prepares is null and state in ('requested', 'cloning', 'starting', 'preparing') limit 1";
        Ok(self.row::<IdRow>(sql, [template.0.into()]).await?.is_some())
    }

    async fn keep_specimen(&mut self, appliance: ApplianceId) -> Result<bool> {
        let sql = "update appliances set pool_id = null, user_group_id = null, leased_until = null where id = $1 and state = 'failed'
                   and exists (select 1 from templates t where t.id = template_id and t.state = 'quarantined' and t.specimen_id = appliances.id)";
        Ok(self.run(sql, [appliance.0.into()]).await? == 1)
    }

    async fn stale_specimens(&mut self) -> Result<Vec<ApplianceId>> {
        let sql = "select a.id from appliances a where a.state = 'failed' and not exists
                       (select 1 from templates t where t.id = a.template_id and t.state = 'quarantined' and t.specimen_id = a.id)
                   order by a.id limit 100";
        let rows: Vec<IdRow> = self.rows(sql, []).await?;
        Ok(rows.into_iter().map(|row| ApplianceId(row.id)).collect())
    }

    async fn switch_provider(
        &mut self,
        key: &ProviderKey,
        switched_off: Option<bool>,
        hidden: Option<bool>,
    ) -> Result<bool> {
        let mut set = Clauses::default();
        let mut differs = Clauses::default();
        for (column, value) in [("switched_off", switched_off), ("hidden", hidden)] {
            let Some(value) = value else { continue };
            let parameter = set.parameter(value);
            set.plain(format!("{column} = {parameter}"));
            differs.plain(format!("{column} <> {parameter}"));
        }
        if set.values.is_empty() {
            return Ok(false);
        }
        let differs = differs.assignments().replace(", ", " or ");
        let key = set.parameter(key.0.as_str());
        let sql = format!("update providers set {} where key = {key} and ({differs})", set.assignments());
        Ok(self.run(&sql, set.values).await? > 0)
    }
}
