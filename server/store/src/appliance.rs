//! Appliances with their endpoints, their leases, and the grant of warm ones.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sprout_app::ports::{
    ApplianceBy, ApplianceChange, ApplianceFilter, ApplianceRows, Grant, NewAppliance, Page, TakeWarm, Warm,
};
use sprout_domain::{
    ApplianceId, Error, PoolId, ProviderKey, Result, TemplateId, Timestamp, UserGroupId,
    appliance::{Appliance, ApplianceState},
    group::Endpoint,
    lease::LeaseEnd,
    version::Version,
};

use crate::{
    convert::{Named, limit, optional_count, variant},
    entities::{appliance::Model, appliance_endpoint},
    tx::{Clauses, SeaTx},
};

/// An appliance with the names that others keep: of its owner, its user group, and the type of its provider.
struct Row {
    appliance: Model,
    owner: Option<String>,
    user_group: Option<String>,
    provider_type: Option<String>,
}

impl FromQueryResult for Row {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            appliance: Model::from_query_result(row, prefix)?,
            owner: row.try_get(prefix, "owner")?,
            user_group: row.try_get(prefix, "user_group")?,
            provider_type: row.try_get(prefix, "provider_type")?,
        })
    }
}

/// The names that others keep, by their keys.
const NAMES: &str =
    "(select u.name from pools p join users u on u.id = p.owner_id where p.id = appliances.pool_id) as owner,
    (select g.name from user_groups g where g.id = appliances.user_group_id) as user_group,
    (select k.driver from providers k where k.key = appliances.provider) as provider_type";

fn appliance(
    Row { appliance: row, owner, user_group, provider_type }: Row,
    endpoints: Vec<Endpoint>,
) -> Result<Appliance> {
    Ok(Appliance {
        id: ApplianceId(row.id),
        name: row.name,
        state: variant(&row.state)?,
        power: variant(&row.power)?,
        provider: ProviderKey(row.provider),
        group: (&*row.group_name).into(),
        template_id: TemplateId(row.template_id),
        template: row.template,
        version: Version::new(row.version),
        date: row.build_date,
        pool_id: row.pool_id.map(PoolId),
        address: row.address,
        endpoints,
        provider_ref: row.provider_ref,
        clone_unconfirmed: row.clone_unconfirmed,
        status: row.status,
        status_changed_at: row.status_changed_at,
        memory_mib: optional_count(row.memory_mib)?,
        cpus: optional_count(row.cpus)?,
        created_at: row.created_at,
        ready_at: row.ready_at,
        leased_at: row.leased_at,
        leased_until: row.leased_until,
        proven_at: row.proven_at,
        held_until: row.held_until,
        hold_reason: row.hold_reason,
        description: row.description,
        unconfigured: row.unconfigured,
        template_type: variant(&row.template_type)?,
        new_name: row.new_name,
        disk_mib: row.disk_mib.map(i64::unsigned_abs),
        wanted_disk_mib: row.wanted_disk_mib.map(i64::unsigned_abs),
        user_group_id: row.user_group_id.map(UserGroupId),
        missing_since: row.missing_since,
        owner,
        user_group,
        provider_type: provider_type.unwrap_or_default(),
        changed_at: row.changed_at.unwrap_or(row.created_at),
        console_url: row.console_url,
        stuck_since: row.stuck_since,
        prepares: row.prepares.map(TemplateId),
        host_key: row.host_key,
    })
}

#[derive(FromQueryResult)]
pub(crate) struct IdRow {
    pub(crate) id: i64,
}

/// The numbers of ids.
pub(crate) fn ids(ids: &[ApplianceId]) -> impl Iterator<Item = i64> + Send {
    ids.iter().map(|id| id.0)
}

impl SeaTx {
    /// Adds the endpoints to rows, in the order of the rows.
    async fn with_endpoints(&self, rows: Vec<Row>) -> Result<Vec<Appliance>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("select * from appliance_endpoints where appliance_id {} order by position", self.among(1));
        let found: Vec<appliance_endpoint::Model> =
            self.rows(&sql, [self.numbers(rows.iter().map(|row| row.appliance.id))]).await?;
        let mut endpoints: BTreeMap<i64, Vec<Endpoint>> = BTreeMap::new();
        for row in found {
            let port = u16::try_from(row.port)
                .map_err(|_| Error::internal(format!("the database has an impossible port: {}", row.port)))?;
            let endpoint = Endpoint { name: row.name, host: row.host, port, url: row.url };
            endpoints.entry(row.appliance_id).or_default().push(endpoint);
        }
        rows.into_iter()
            .map(|row| {
                let endpoints = endpoints.remove(&row.appliance.id).unwrap_or_default();
                appliance(row, endpoints)
            })
            .collect()
    }

    /// The appliances of which this is true, which may also say in what order, how many, and to lock them.
    pub(crate) async fn appliances_where(&self, condition: &str, values: Vec<Value>) -> Result<Vec<Appliance>> {
        let sql = format!("select appliances.*, {NAMES} from appliances where {condition}");
        self.with_endpoints(self.rows(&sql, values).await?).await
    }

    async fn by_id(&self, list: &[ApplianceId], lock: &str) -> Result<Vec<Appliance>> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let those = format!("id {} order by id{lock}", self.among(1));
        self.appliances_where(&those, vec![self.numbers(ids(list))]).await
    }

    pub(crate) async fn replace_endpoints(&self, list: &[ApplianceId], endpoints: &[Endpoint]) -> Result<()> {
        let each: Vec<_> = list.iter().map(|id| (*id, endpoints)).collect();
        self.replace_endpoints_of(&each).await
    }

    /// Gives each of these appliances endpoints instead of those it has.
    pub(crate) async fn replace_endpoints_of(&self, each: &[(ApplianceId, &[Endpoint])]) -> Result<()> {
        if each.is_empty() {
            return Ok(());
        }
        let delete = format!("delete from appliance_endpoints where appliance_id {}", self.among(1));
        self.run(&delete, [self.numbers(each.iter().map(|(id, _)| id.0))]).await?;
        let row = |id: i64, (position, endpoint): (i64, &Endpoint)| -> Vec<Value> {
            let Endpoint { name, host, port, url } = endpoint.clone();
            vec![id.into(), position.into(), name.into(), host.into(), i64::from(port).into(), url.into()]
        };
        let of = |(id, endpoints): &(ApplianceId, &[Endpoint])| {
            (0..).zip(endpoints.iter()).map(|endpoint| row(id.0, endpoint)).collect::<Vec<_>>()
        };
        let rows = each.iter().flat_map(of).collect();
        self.insert("appliance_endpoints (appliance_id, position, name, host, port, url)", rows, "").await?;
        Ok(())
    }
}

#[async_trait]
impl ApplianceRows for SeaTx {
    async fn insert_appliances(&mut self, appliances: Vec<NewAppliance>) -> Result<Vec<Appliance>> {
        let mut providers: Vec<_> = appliances.iter().map(|new| new.template.provider.0.clone()).collect();
        providers.dedup();
        let usual = self.usual_needs(&providers).await?;
        let row = |new: NewAppliance| -> Vec<Value> {
            let template = new.template;
            let usual = usual.get(&template.provider.0).copied().unwrap_or_default();
            let taken = |asked: Option<u32>, usual: u64| asked.map_or(usual.cast_signed(), i64::from);
            let (room_memory_mib, room_cpus) = (taken(new.memory_mib, usual.memory_mib), taken(new.cpus, usual.cpus));
            vec![
                new.name.into(),
                ApplianceState::Requested.name().into(),
                "unknown".into(),
                template.provider.0.into(),
                template.group.0.into(),
                template.id.0.into(),
                template.name.into(),
                template.version.as_str().into(),
                template.date.into(),
                new.pool_id.map(|id| id.0).into(),
                false.into(),
                "".into(),
                self.time(self.now),
                new.memory_mib.map(i64::from).into(),
                new.cpus.map(i64::from).into(),
                self.time(self.now),
                template.unconfigured.into(),
                template.template_type.name().into(),
                self.time(self.now),
                room_memory_mib.into(),
                room_cpus.into(),
                new.user_group_id.map(|id| id.0).into(),
                new.prepares.map(|id| id.0).into(),
            ]
        };
        let target = "appliances (name, state, power, provider, group_name, template_id, template, version, build_date, pool_id, \
                      clone_unconfirmed, status, status_changed_at, memory_mib, cpus, created_at, unconfigured, template_type, \
                      changed_at, room_memory_mib, room_cpus, user_group_id, prepares)";
        let rows = appliances.into_iter().map(row).collect();
        let mut inserted: Vec<Row> = self.insert_returning(target, rows, &format!("returning *, {NAMES}")).await?;
        inserted.sort_by_key(|row| row.appliance.id); // numbers are given in the order of the values
        inserted.into_iter().map(|row| appliance(row, Vec::new())).collect()
    }

    async fn appliance(&mut self, by: &ApplianceBy) -> Result<Option<Appliance>> {
        let (condition, value): (_, Value) = match by {
            ApplianceBy::Id(id) => ("id = $1", id.0.into()),
            ApplianceBy::Name(name) => ("name = $1", name.as_str().into()),
            ApplianceBy::Address(address) => ("address = $1 and state <> 'gone'", address.as_str().into()),
        };
        // Names and addresses are unique on one provider only, and used again: the one that is there, else the latest.
        let first = format!("{condition} order by (state = 'gone'), id desc limit 1");
        Ok(self.appliances_where(&first, vec![value]).await?.pop())
    }

    async fn appliances_by_id(&mut self, ids: &[ApplianceId]) -> Result<Vec<Appliance>> {
        self.by_id(ids, "").await
    }

    async fn lock_appliances(&mut self, ids: &[ApplianceId]) -> Result<Vec<Appliance>> {
        self.by_id(ids, self.locked()).await
    }

    async fn appliances(&mut self, filter: &ApplianceFilter, page: Page) -> Result<Vec<Appliance>> {
        let mut conditions = Clauses::default();
        if let Some(owner) = filter.owner_id {
            conditions.add("pool_id in (select id from pools where owner_id = ?)", owner.0);
        }
        if let Some(pool) = filter.pool_id {
            conditions.add("pool_id = ?", pool.0);
        }
        if let Some(provider) = &filter.provider {
            conditions.add("provider = ?", provider.0.as_str());
        }
        if let Some(group) = &filter.group {
            conditions.add("group_name = ?", group.0.as_str());
        }
        if filter.states.is_empty() {
            conditions.plain("state <> 'gone'");
        } else {
            let states = self.texts(filter.states.iter().map(|state| state.name()));
            conditions.among(self, "state", states);
        }
        if filter.warm {
            conditions.plain("pool_id is null and prepares is null");
        }
        if let Some(owner) = &filter.owner {
            let theirs = "pool_id in (select p.id from pools p join users u on u.id = p.owner_id where u.name = ?)";
            conditions.add(theirs, owner.as_str());
        }
        if filter.stuck {
            conditions.plain("stuck_since is not null and state = 'killing'");
        }
        if filter.expired_and_held {
            conditions.add("held_until is not null and state <> 'gone' and leased_until <= ?", self.time(self.now));
        }
        if let Some(before) = page.before {
            conditions.add("id < ?", before);
        }
        let limit = conditions.parameter(limit(page.limit));
        let page = format!("{} order by id desc limit {limit}", conditions.conditions());
        self.appliances_where(&page, conditions.values).await
    }

    async fn appliances_of_pools(&mut self, pools: &[PoolId], with_gone: bool) -> Result<Vec<Appliance>> {
        if pools.is_empty() {
            return Ok(Vec::new());
        }
        let there = if with_gone { "" } else { "and state <> 'gone'" };
        let theirs = format!("pool_id {} {there} order by id", self.among(1));
        self.appliances_where(&theirs, vec![self.numbers(pools.iter().map(|id| id.0))]).await
    }

    async fn take_warm(&mut self, take: &TakeWarm) -> Result<Vec<Warm>> {
        crate::grant::take_warm(self, take).await
    }

    async fn grant(&mut self, grants: &[Grant]) -> Result<Vec<Appliance>> {
        if grants.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = if self.on_postgres() {
            "select * from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as wanted (id, pool_id, lease)"
        } else {
            "select a.value as id, p.value as pool_id, l.value as lease from json_each($1) a
             join json_each($2) p on p.key = a.key join json_each($3) l on l.key = a.key"
        };
        // Leases are few and mostly alike: each row names its own by its place among the different ones.
        let mut leases: Vec<LeaseEnd> = grants.iter().filter_map(|grant| grant.lease).collect();
        leases.sort_unstable();
        leases.dedup();
        let lease = |grant: &Grant| grant.lease.and_then(|end| leases.binary_search(&end).ok());
        let numbers = |value: &dyn Fn(&Grant) -> i64| self.numbers(grants.iter().map(value).collect::<Vec<_>>());
        let mut values = vec![
            numbers(&|grant| grant.appliance.0),
            numbers(&|grant| grant.pool.0),
            numbers(&|grant| lease(grant).map_or(-1, |index| i64::try_from(index).unwrap_or(-1))),
            self.time(self.now),
        ];
        let timestamp = if self.on_postgres() { "::timestamptz" } else { "" };
        let mut case = |moment: &dyn Fn(&LeaseEnd) -> Option<Timestamp>| {
            let whens = leases.iter().enumerate().map(|(index, end)| {
                values.push(self.optional_time(moment(end)));
                format!(" when {index} then ${}{timestamp}", values.len())
            });
            let whens: String = whens.collect();
            if whens.is_empty() { "null".to_owned() } else { format!("case wanted.lease{whens} end") }
        };
        let (until, remind_at) = (case(&|end| end.until), case(&|end| end.remind_at));
        // SQLite returns the columns of the table that is updated only, and knows no name before the star.
        let returned = if self.on_postgres() { "appliances.*" } else { "*" };
        let sql = format!(
            "update appliances set pool_id = wanted.pool_id, leased_at = case when wanted.lease < 0 then leased_at else $4{timestamp} end,
                                   leased_until = ({until}){timestamp}, remind_at = ({remind_at}){timestamp}, changed_at = $4{timestamp}
             from ({wanted}) as wanted
             where appliances.id = wanted.id and appliances.state = 'ready' and appliances.pool_id is null
             returning {returned}, {NAMES}"
        );
        let mut granted: Vec<Row> = self.rows(&sql, values).await?;
        granted.sort_by_key(|row| row.appliance.id);
        self.with_endpoints(granted).await
    }

    async fn change_appliances(&mut self, list: &[ApplianceId], change: &ApplianceChange) -> Result<()> {
        if list.is_empty() {
            return Ok(());
        }
        let ApplianceChange { state, power, address, endpoints, provider_ref, clone_unconfirmed, status, console_url } =
            change;
        let now = || self.time(self.now);
        let mut set = Clauses::default();
        if let Some(state) = state {
            set.add("state = ?", state.name());
            match state {
                ApplianceState::Ready => set.add("ready_at = coalesce(ready_at, ?), proven_at = ?", now()),
                ApplianceState::Failed => set.add("failed_at = ?", now()),
                ApplianceState::Gone => set.add("gone_at = ?", now()),
                _ => {}
            }
        }
        if let Some(power) = power {
            set.add("power = ?", power.name());
        }
        if let Some(address) = address {
            set.add("address = ?", address.as_str());
        }
        if let Some(provider_ref) = provider_ref {
            set.add("provider_ref = ?", provider_ref.as_str());
        }
        if let Some(console_url) = console_url {
            set.add("console_url = ?", console_url.as_str());
        }
        if let Some(unconfirmed) = clone_unconfirmed {
            set.add("clone_unconfirmed = ?", *unconfirmed);
        }
        if let Some(status) = status {
            set.add("status = ?", status.as_str());
            set.add("status_changed_at = ?", now());
        }
        if !set.values.is_empty() || endpoints.is_some() {
            set.add("changed_at = ?", now());
            self.update("appliances", set, ids(list)).await?;
        }
        match endpoints {
            Some(endpoints) => self.replace_endpoints(list, endpoints).await,
            None => Ok(()),
        }
    }

    async fn set_statuses(&mut self, statuses: &[(ApplianceId, String)]) -> Result<()> {
        if statuses.is_empty() {
            return Ok(());
        }
        let values = if self.on_postgres() {
            "select * from unnest($1::bigint[], $2::text[]) as new (id, status)"
        } else {
            "select n.value as id, t.value as status from json_each($1) n join json_each($2) t on t.key = n.key"
        };
        let sql = format!(
            "update appliances set status = new.status, status_changed_at = $3, changed_at = $3 from ({values}) as new
             where appliances.id = new.id and appliances.state not in ('killing', 'gone')"
        );
        let numbers = self.numbers(statuses.iter().map(|(id, _)| id.0));
        let texts = self.texts(statuses.iter().map(|(_, status)| status.as_str()));
        self.run(&sql, [numbers, texts, self.time(self.now)]).await?;
        Ok(())
    }
}
