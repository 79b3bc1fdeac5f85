//! What refreshes need to know of appliances, and what they write of them.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::Kept;
use sprout_domain::{
    ApplianceId, Error, GroupName, PoolId, ProviderKey, Result, Timestamp,
    appliance::{ApplianceEvent, ApplianceState},
    group::Endpoint,
    machine::{
        Known, Listed, Marks,
        observe::{Observed, Resting, Role},
    },
};

use crate::{
    appliance::IdRow,
    convert::{Named as _, variant},
    entities::appliance_endpoint,
    task::Column,
    tx::{Clauses, SeaTx},
};

/// The template, per provider, of appliances whose own nobody knows: it is gone, so that nothing is ever made or handed out from it.
const UNKNOWN: &str = "(unknown)";
/// No numbers that much higher than the highest were given since some copy of the database was made; tags that say so are not ours.
const PLAUSIBLE: i64 = 1_000_000;

#[derive(FromQueryResult)]
struct KeptRow {
    id: i64,
    name: String,
    new_name: Option<String>,
    group_name: String,
    pool_id: Option<i64>,
    state: String,
    power: String,
    address: Option<String>,
    missing_since: Option<Timestamp>,
    changed_at: Timestamp,
    busy: bool,
    held: bool,
    awaited: bool,
}

#[derive(FromQueryResult)]
struct KnownRow {
    id: i64,
    name: String,
    new_name: Option<String>,
    gone_at: Option<Timestamp>,
    provider: String,
}

impl SeaTx {
    pub(super) async fn kept_appliances(
        &self,
        provider: &ProviderKey,
        only: Option<&[ApplianceId]>,
    ) -> Result<Vec<Kept>> {
        let mut conditions = Clauses::default();
        conditions.add("a.provider = ?", provider.0.as_str());
        conditions.plain("a.state <> 'gone'");
        if let Some(only) = only {
            conditions.among(self, "a.id", self.numbers(only.iter().map(|id| id.0)));
        }
        let those = conditions.conditions();
        let sql = format!(
            "select a.id, a.name, a.new_name, a.group_name, a.pool_id, a.state, a.power, a.address, a.missing_since,
                    coalesce(a.changed_at, a.created_at) as changed_at, a.held_until is not null as held,
                    exists (select 1 from tasks t where t.appliance_id = a.id and t.appliance_id is not null
                            and t.state in ('blocked', 'ready', 'running', 'retrying')) as busy,
                    coalesce(p.state in ('waiting', 'provisioning'), {}) as awaited
             from appliances a left join pools p on p.id = a.pool_id where {those} order by a.id",
            self.no()
        );
        let rows: Vec<KeptRow> = self.rows(&sql, conditions.values.clone()).await?;
        let sql = format!(
            "select e.* from appliance_endpoints e join appliances a on a.id = e.appliance_id where {those}
             order by e.appliance_id, e.position"
        );
        let found: Vec<appliance_endpoint::Model> = self.rows(&sql, conditions.values).await?;
        let mut endpoints: HashMap<i64, Vec<Endpoint>> = HashMap::new();
        for row in found {
            let port = u16::try_from(row.port)
                .map_err(|_| Error::internal(format!("the database has an impossible port: {}", row.port)))?;
            let endpoint = Endpoint { name: row.name, host: row.host, port, url: row.url };
            endpoints.entry(row.appliance_id).or_default().push(endpoint);
        }
        rows.into_iter()
            .map(|row| {
                let endpoints = endpoints.remove(&row.id).unwrap_or_default();
                kept(row, endpoints)
            })
            .collect()
    }

    pub(super) async fn known_appliances(&self, provider: &ProviderKey, ids: &[ApplianceId]) -> Result<Vec<Known>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "select id, name, new_name, case when state = 'gone' then coalesce(gone_at, changed_at, created_at) end as gone_at, provider
             from appliances where id {}",
            self.among(1)
        );
        let rows: Vec<KnownRow> = self.rows(&sql, [self.numbers(ids.iter().map(|id| id.0))]).await?;
        let known = |row: KnownRow| Known {
            id: ApplianceId(row.id),
            name: row.name,
            new_name: row.new_name,
            gone_at: row.gone_at,
            elsewhere: row.provider != provider.0,
        };
        Ok(rows.into_iter().map(known).collect())
    }

    pub(super) async fn observe(&self, seen: &[(ApplianceId, Observed, Option<String>)]) -> Result<()> {
        if seen.is_empty() {
            return Ok(());
        }
        let texts = |of: &dyn Fn(&Observed) -> Option<&str>| {
            Column::Texts(seen.iter().map(|(_, seen, _)| of(seen).unwrap_or_default().to_owned()).collect())
        };
        let columns = vec![
            ("which", Column::Numbers(seen.iter().map(|(id, ..)| id.0).collect())),
            ("now_state", texts(&|seen| Some(seen.state.name()))),
            ("now_power", texts(&|seen| Some(seen.power.name()))),
            ("now_address", texts(&|seen| seen.address.as_deref())),
            ("now_console", texts(&|seen| seen.console_url.as_deref())),
            ("says", Column::Texts(seen.iter().map(|(.., status)| status.clone().unwrap_or_default()).collect())),
        ];
        let (table, values) = self.table(2, columns);
        let now = if self.on_postgres() { "$1::timestamptz" } else { "$1" };
        let sql = format!(
            "update appliances
             set state = now_state, power = now_power, address = nullif(now_address, ''),
                 console_url = case when now_state in ('off', 'orphaned') then null
                                    else coalesce(nullif(now_console, ''), console_url) end,
                 proven_at = case when now_state = state then proven_at end,
                 missing_since = case when now_state = 'orphaned' then missing_since end,
                 status = case when says = '' then status else says end,
                 status_changed_at = case when says = '' then status_changed_at else {now} end,
                 changed_at = {now}
             from ({table}) as given where id = which"
        );
        self.run(&sql, std::iter::once(self.time(self.now)).chain(values).collect::<Vec<_>>()).await?;
        let each: Vec<_> = seen.iter().map(|(id, seen, _)| (*id, &*seen.endpoints)).collect();
        self.replace_endpoints_of(&each).await
    }

    /// See [`sprout_app::ports::MachineRows::rebuild`].
    pub(super) async fn rebuild_appliances(
        &self,
        provider: &ProviderKey,
        lost: &[Listed],
        held_until: Timestamp,
        reason: &str,
    ) -> Result<Vec<ApplianceId>> {
        #[derive(FromQueryResult)]
        struct Highest {
            highest: Option<i64>,
        }
        let highest: Option<Highest> = self.row("select max(id) as highest from appliances", []).await?;
        let highest = highest.and_then(|row| row.highest).unwrap_or_default();
        let mut by_id = BTreeMap::new();
        for listed in lost {
            if let Marks::Ours(id) = listed.marks
                && (1..=highest.saturating_add(PLAUSIBLE)).contains(&id.0)
            {
                by_id.entry(id.0).or_insert(listed); // of two with one tag, one
            }
        }
        if by_id.is_empty() {
            return Ok(Vec::new());
        }
        let template = self.unknown_template(provider).await?;
        let need = self.usual_needs(std::slice::from_ref(&provider.0)).await?.get(&provider.0).copied();
        let need = need.unwrap_or_default();
        let now = || self.time(self.now);
        let row = |(id, listed): (i64, &Listed)| -> Vec<Value> {
            let state = ApplianceState::Ready.after(ApplianceEvent::Seen(listed.power));
            vec![
                id.into(),
                listed.name.as_str().into(),
                state.unwrap_or(ApplianceState::Off).name().into(),
                listed.power.name().into(),
                provider.0.as_str().into(),
                UNKNOWN.into(),
                template.into(),
                UNKNOWN.into(),
                UNKNOWN.into(),
                sprout_domain::template::BuildDate::default().into(),
                listed.address.clone().into(),
                false.into(),
                reason.into(),
                now(),
                now(),
                now(),
                now(),
                self.time(held_until),
                reason.into(),
                need.memory_mib.cast_signed().into(),
                need.cpus.cast_signed().into(),
            ]
        };
        let target = "appliances (id, name, state, power, provider, group_name, template_id, template, version, build_date, address,
                                  clone_unconfirmed, status, status_changed_at, created_at, changed_at, leased_until, held_until,
                                  hold_reason, room_memory_mib, room_cpus)";
        let rows = by_id.into_iter().map(row).collect();
        let mut rebuilt: Vec<IdRow> =
            self.insert_returning(target, rows, "on conflict do nothing returning id").await?;
        rebuilt.sort_unstable_by_key(|row| row.id);
        if self.on_postgres() {
            // SQLite does so by itself.
            let sql = "select setval('appliances_id_seq', greatest((select max(id) from appliances), nextval('appliances_id_seq'))) as id";
            let _: Option<IdRow> = self.row(sql, []).await?;
        }
        Ok(rebuilt.into_iter().map(|row| ApplianceId(row.id)).collect())
    }

    async fn unknown_template(&self, provider: &ProviderKey) -> Result<i64> {
        let row = vec![
            UNKNOWN.into(),
            provider.0.as_str().into(),
            UNKNOWN.into(),
            UNKNOWN.into(),
            sprout_domain::template::BuildDate::default().into(),
            "gone".into(),
            self.time(self.now),
        ];
        let target = "templates (name, provider, group_name, version, build_date, state, found_at)";
        self.insert(target, vec![row], "on conflict do nothing").await?;
        let found: Option<IdRow> = self
            .row(
                "select id from templates where provider = $1 and name = $2",
                [provider.0.as_str().into(), UNKNOWN.into()],
            )
            .await?;
        found.map(|row| row.id).ok_or_else(|| Error::internal("a template was not inserted"))
    }
}

fn kept(row: KeptRow, endpoints: Vec<Endpoint>) -> Result<Kept> {
    let id = ApplianceId(row.id);
    let role = match (row.pool_id, row.held) {
        (None, false) => Role::Warm,
        (Some(_), false) if row.awaited => Role::Awaited,
        _ => Role::Used,
    };
    Ok(Kept {
        known: Known { id, name: row.name, new_name: row.new_name, gone_at: None, elsewhere: false },
        group: GroupName(row.group_name),
        pool: row.pool_id.map(PoolId),
        resting: Resting {
            id,
            state: variant(&row.state)?,
            power: variant(&row.power)?,
            address: row.address,
            endpoints,
            missing_since: row.missing_since,
            changed_at: row.changed_at,
            busy: row.busy,
            role,
        },
    })
}
