//! Shepherds as they are shown.

use serde::Serialize;
use sprout_client::proto::shepherd::{Demand, PlanShepherdResponse, PlannedAction, PlannedChange, ShepherdStatus};

use super::{Card, Row, facts, lower, some, stdout_width, table, time};
use crate::{args::shepherd::written, failure::Failure};

/// What is kept warm, and what there is.
#[derive(Debug, Serialize)]
pub(crate) struct ShepherdView {
    group: String,
    /// None: for everyone.
    user_group: Option<String>,
    preconfigured: u32,
    unconfigured: u32,
    demand: Option<DemandView>,
    wanted: u32,
    warm: u32,
    coming: u32,
    unconfigured_warm: u32,
    unconfigured_coming: u32,
    version: Option<String>,
    status: Option<String>,
    requests_per_hour: Option<f64>,
    provisioning_time_seconds: Option<i64>,
}

#[derive(Debug, Serialize)]
struct DemandView {
    min: u32,
    max: u32,
    schedule: Vec<String>,
}

impl From<Demand> for DemandView {
    fn from(demand: Demand) -> Self {
        Self { min: demand.min, max: demand.max, schedule: demand.schedule.iter().map(written).collect() }
    }
}

impl From<ShepherdStatus> for ShepherdView {
    fn from(status: ShepherdStatus) -> Self {
        let shepherd = status.shepherd.unwrap_or_default();
        Self {
            group: shepherd.group,
            user_group: some(shepherd.user_group),
            preconfigured: shepherd.preconfigured,
            unconfigured: shepherd.unconfigured,
            demand: shepherd.demand.map(DemandView::from),
            wanted: status.wanted,
            warm: status.warm,
            coming: status.coming,
            unconfigured_warm: status.unconfigured_warm,
            unconfigured_coming: status.unconfigured_coming,
            version: some(status.version),
            status: some(status.status),
            requests_per_hour: status.requests_per_hour,
            provisioning_time_seconds: time::seconds(status.provisioning_time),
        }
    }
}

impl ShepherdView {
    /// Its group.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// The user group it is for; none: everyone.
    pub(crate) fn user_group(&self) -> Option<&str> {
        self.user_group.as_deref()
    }

    fn flock(&self) -> &str {
        self.user_group.as_deref().unwrap_or("everyone")
    }

    /// What was set.
    pub(crate) fn outcome(&self) -> String {
        let Self { group, wanted, unconfigured, .. } = self;
        if *wanted == 0 && *unconfigured == 0 && self.demand.is_none() {
            return format!("of {group} nothing is kept warm for {} any more; what is left is killed", self.flock());
        }
        let kept = format!(
            "of {group}, {wanted} preconfigured and {unconfigured} unconfigured are kept warm for {}",
            self.flock()
        );
        format!("{kept}; `sproutctl shepherd list` shows how far that is")
    }

    /// As many are warm as are wanted.
    pub(crate) fn is_satisfied(&self) -> bool {
        self.warm >= self.wanted && self.unconfigured_warm >= self.unconfigured
    }

    /// In one line: "demo: 1 of 3 (2 coming) are warm".
    pub(crate) fn line(&self) -> String {
        let unconfigured =
            if self.unconfigured == 0 { String::new() } else { format!(", unconfigured {}", self.unconfigured()) };
        let status = self.status.as_ref().map(|status| format!(" – {status}")).unwrap_or_default();
        format!("{}: {}{unconfigured} are warm{status}", self.group, of(self.warm, self.coming, self.wanted))
    }

    fn unconfigured(&self) -> String {
        of(self.unconfigured_warm, self.unconfigured_coming, self.unconfigured)
    }

    fn demand(&self) -> Option<String> {
        let DemandView { min, max, schedule } = self.demand.as_ref()?;
        let windows = schedule.iter().map(ToString::to_string);
        Some([format!("{min} to {max}")].into_iter().chain(windows).collect::<Vec<_>>().join(", "))
    }
}

/// "2 of 5 (1 coming)"
fn of(warm: u32, coming: u32, wanted: u32) -> String {
    let coming = if coming > 0 { format!(" ({coming} coming)") } else { String::new() };
    format!("{warm} of {wanted}{coming}")
}

impl Row for ShepherdView {
    const PLURAL: &'static str = "shepherds";
    const COLUMNS: &'static [&'static str] = &["GROUP", "FOR", "WARM", "UNCONFIGURED", "DEMAND", "VERSION", "STATUS"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.group.clone(),
            self.flock().to_owned(),
            of(self.warm, self.coming, self.wanted),
            self.unconfigured(),
            self.demand.as_ref().map_or_else(|| "-".to_owned(), |demand| format!("{} to {}", demand.min, demand.max)),
            self.version.clone().unwrap_or_else(|| "-".to_owned()),
            self.status.clone().unwrap_or_default(),
        ]
    }
}

impl Card for ShepherdView {
    fn text(&self) -> String {
        let seconds = self.provisioning_time_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        facts(&[
            ("group", Some(self.group.clone())),
            ("for", Some(self.flock().to_owned())),
            ("warm", Some(of(self.warm, self.coming, self.wanted))),
            ("unconfigured", Some(self.unconfigured())),
            ("by demand", self.demand()),
            ("requests an hour", self.requests_per_hour.map(|rate| format!("{rate:.1}"))),
            ("a deployment takes", seconds.map(time::rough)),
            ("version", self.version.clone()),
            ("status", self.status.clone()),
        ])
    }
}

/// What setting a shepherd would change.
#[derive(Debug, Serialize)]
pub(crate) struct PlanView {
    now: ShepherdView,
    wanted: u32,
    changes: Vec<ChangeView>,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    action: String,
    count: u32,
    provider: Option<String>,
    version: Option<String>,
    reason: String,
}

impl From<PlannedChange> for ChangeView {
    fn from(change: PlannedChange) -> Self {
        Self {
            action: lower(change.action, PlannedAction::as_str_name, "PLANNED_ACTION_"),
            count: change.count,
            provider: some(change.provider),
            version: some(change.version),
            reason: change.reason,
        }
    }
}

impl TryFrom<PlanShepherdResponse> for PlanView {
    type Error = Failure;

    fn try_from(planned: PlanShepherdResponse) -> Result<Self, Failure> {
        Ok(Self {
            now: planned.now.ok_or(Failure::Incomplete("shepherd"))?.into(),
            wanted: planned.wanted,
            changes: planned.changes.into_iter().map(ChangeView::from).collect(),
        })
    }
}

impl Row for ChangeView {
    const PLURAL: &'static str = "changes";
    const COLUMNS: &'static [&'static str] = &["ACTION", "COUNT", "PROVIDER", "VERSION", "REASON"];

    fn cells(&self) -> Vec<String> {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            self.action.clone(),
            self.count.to_string(),
            or_dash(&self.provider),
            or_dash(&self.version),
            self.reason.clone(),
        ]
    }
}

impl Card for PlanView {
    fn text(&self) -> String {
        let changes = if self.changes.is_empty() {
            "nothing would change\n".to_owned()
        } else {
            table::render(&self.changes, stdout_width())
        };
        let wanted = facts(&[("wanted then", Some(self.wanted.to_string()))]);
        format!("{}{wanted}\n{changes}", self.now.text())
    }
}
