//! Pools as they are shown.

use serde::Serialize;
use sprout_client::proto::pool::{Pool, PoolState};

use super::{
    Card, Row,
    appliance::{ApplianceView, MemberView},
    facts, lower, some, stdout_width, table, time,
};

/// One pool.
#[derive(Debug, Serialize)]
pub(crate) struct PoolView {
    pub(crate) id: u64,
    request_id: String,
    pub(crate) owner: String,
    group: String,
    version: String,
    date: String,
    provider: Option<String>,
    pub(crate) count: u32,
    pub(crate) ready_count: u32,
    pub(crate) progress_percent: u32,
    pub(crate) state: String,
    pub(crate) status: String,
    description: String,
    waiting_count: u32,
    /// Absent in lists, and where it does not wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    lease_seconds: Option<i64>,
    created_at: Option<String>,
    fulfilled_at: Option<String>,
    leased_until: Option<String>,
    ended_at: Option<String>,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) appliances: Option<Vec<ApplianceView>>,
}

impl PoolView {
    /// One pool of a list, without its appliances.
    pub(crate) fn listed(pool: Pool) -> Self {
        Self { appliances: None, ..Self::from(pool) }
    }

    /// What the pool is: "2 × downstream-511z 5.11.0.1".
    pub(crate) fn what(&self) -> String {
        format!("{} × {} {}", self.count, self.group, self.version).trim_end().to_owned()
    }
}

impl From<Pool> for PoolView {
    fn from(p: Pool) -> Self {
        Self {
            id: p.id,
            request_id: p.request_id,
            owner: p.owner,
            group: p.group,
            version: p.version,
            date: p.date,
            provider: p.provider,
            count: p.count,
            ready_count: p.ready_count,
            progress_percent: p.progress_percent,
            state: lower(p.state, PoolState::as_str_name, "POOL_STATE_"),
            status: p.status,
            description: p.description,
            waiting_count: p.waiting_count,
            position: p.position,
            lease_seconds: time::seconds(p.lease),
            created_at: time::rfc3339(p.created_at),
            fulfilled_at: time::rfc3339(p.fulfilled_at),
            leased_until: time::rfc3339(p.leased_until),
            ended_at: time::rfc3339(p.ended_at),
            appliances: Some(p.appliances.into_iter().map(ApplianceView::from).collect()),
        }
    }
}

impl Row for PoolView {
    const PLURAL: &'static str = "pools";
    const COLUMNS: &'static [&'static str] =
        &["ID", "STATE", "READY", "GROUP", "VERSION", "OWNER", "LEASE ENDS", "DESCRIPTION"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.state.clone(),
            format!("{}/{}", self.ready_count, self.count),
            self.group.clone(),
            self.version.clone(),
            self.owner.clone(),
            time::relative(self.leased_until.as_ref()).unwrap_or_else(|| "-".to_owned()),
            self.description.clone(),
        ]
    }
}

impl Card for PoolView {
    fn text(&self) -> String {
        let lease = self.lease_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(time::rough);
        let mut text = facts(&[
            ("pool", Some(self.id.to_string())),
            ("state", Some(self.state.clone())),
            ("status", some(self.status.clone())),
            ("ready", Some(format!("{} of {} ({} %)", self.ready_count, self.count, self.progress_percent))),
            ("group", some(self.group.clone())),
            ("version", some(format!("{} {}", self.version, self.date).trim().to_owned())),
            ("provider", self.provider.clone()),
            ("owner", some(self.owner.clone())),
            ("description", some(self.description.clone())),
            ("created", time::relative_and_exact(self.created_at.as_ref())),
            ("fulfilled", time::relative_and_exact(self.fulfilled_at.as_ref())),
            ("lease", lease),
            ("lease ends", time::relative_and_exact(self.leased_until.as_ref())),
            ("ended", time::relative_and_exact(self.ended_at.as_ref())),
        ]);
        if let Some(appliances) = self.appliances.as_deref().filter(|appliances| !appliances.is_empty()) {
            text.push('\n');
            let members: Vec<_> = appliances.iter().map(MemberView).collect();
            text.push_str(&table::render(&members, stdout_width()));
        }
        text
    }
}
