//! Usage as it is shown: the columns are what it was summed by.

use serde::Serialize;
use sprout_client::proto::usage::UsageRow;

use super::{Card, table};
use crate::args::usage::Dimension;

/// One sum; what it was not summed by is not there.
#[derive(Debug, Serialize)]
pub(crate) struct UsageView {
    day: Option<String>,
    user: Option<String>,
    user_group: Option<String>,
    group: Option<String>,
    provider: Option<String>,
    appliance_hours: f64,
}

impl UsageView {
    pub(crate) fn new(row: UsageRow, by: &[Dimension]) -> Self {
        let asked = |dimension, value| Some(value).filter(|_| by.contains(&dimension));
        Self {
            day: asked(Dimension::Day, row.day),
            user: asked(Dimension::User, row.user),
            user_group: asked(Dimension::UserGroup, row.user_group),
            group: asked(Dimension::Group, row.group),
            provider: asked(Dimension::Provider, row.provider),
            appliance_hours: row.appliance_hours,
        }
    }

    fn value(&self, dimension: Dimension) -> String {
        let value = match dimension {
            Dimension::Day => &self.day,
            Dimension::User => &self.user,
            Dimension::UserGroup => &self.user_group,
            Dimension::Group => &self.group,
            Dimension::Provider => &self.provider,
        };
        value.clone().filter(|value| !value.is_empty()).unwrap_or_else(|| "-".to_owned())
    }
}

/// All sums of an answer.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct UsageTable {
    pub(crate) rows: Vec<UsageView>,
    #[serde(skip)]
    pub(crate) by: Vec<Dimension>,
}

impl Card for UsageTable {
    fn text(&self) -> String {
        let head = |dimension: &Dimension| match dimension {
            Dimension::Day => "DAY",
            Dimension::User => "USER",
            Dimension::UserGroup => "USER GROUP",
            Dimension::Group => "GROUP",
            Dimension::Provider => "PROVIDER",
        };
        let heads: Vec<_> = self.by.iter().map(head).chain(["HOURS"]).collect();
        let cells = |row: &UsageView| {
            let hours = format!("{:.1}", row.appliance_hours);
            self.by.iter().map(|dimension| row.value(*dimension)).chain([hours]).collect()
        };
        table::render_cells(&heads, self.rows.iter().map(cells), super::stdout_width())
    }
}
