//! Clean-up rules and plans as they are shown.

use serde::Serialize;
use sprout_client::proto::cleanup::{PlannedDeletion, Rule};

use super::{Card, Row, facts, some, time};

/// One rule.
#[derive(Debug, Serialize)]
pub(crate) struct RuleView {
    id: u64,
    name_pattern: String,
    min_age_seconds: Option<i64>,
    provider: Option<String>,
    created_by: String,
    created_at: Option<String>,
}

/// A machine that would be deleted.
#[derive(Debug, Serialize)]
pub(crate) struct PlannedView {
    provider: String,
    name: String,
    first_seen_at: Option<String>,
    reason: String,
    not_before: Option<String>,
}

impl From<Rule> for RuleView {
    fn from(rule: Rule) -> Self {
        Self {
            id: rule.id,
            name_pattern: rule.name_pattern,
            min_age_seconds: time::seconds(rule.min_age),
            provider: some(rule.provider),
            created_by: rule.created_by,
            created_at: time::rfc3339(rule.created_at),
        }
    }
}

impl From<PlannedDeletion> for PlannedView {
    fn from(planned: PlannedDeletion) -> Self {
        let PlannedDeletion { provider, name, first_seen_at, reason, not_before } = planned;
        let (first_seen_at, not_before) = (time::rfc3339(first_seen_at), time::rfc3339(not_before));
        Self { provider, name, first_seen_at, reason, not_before }
    }
}

impl RuleView {
    fn age(&self) -> String {
        let seconds = self.min_age_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.map_or_else(|| "-".to_owned(), time::rough)
    }

    fn place(&self) -> String {
        self.provider.clone().unwrap_or_else(|| "all".to_owned())
    }
}

impl Row for RuleView {
    const PLURAL: &'static str = "rules";
    const COLUMNS: &'static [&'static str] = &["ID", "PATTERN", "OLDER THAN", "PROVIDER", "BY"];

    fn cells(&self) -> Vec<String> {
        vec![self.id.to_string(), self.name_pattern.clone(), self.age(), self.place(), self.created_by.clone()]
    }
}

impl Card for RuleView {
    fn text(&self) -> String {
        facts(&[
            ("rule", Some(self.id.to_string())),
            ("pattern", Some(self.name_pattern.clone())),
            ("older than", Some(self.age())),
            ("provider", Some(self.place())),
            ("made by", some(self.created_by.clone())),
            ("made", time::relative_and_exact(self.created_at.as_ref())),
        ])
    }
}

impl Row for PlannedView {
    const PLURAL: &'static str = "deletions";
    const COLUMNS: &'static [&'static str] = &["PROVIDER", "NAME", "FIRST SEEN", "WHEN", "WHY"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.provider.clone(),
            self.name.clone(),
            time::relative(self.first_seen_at.as_ref()).unwrap_or_else(|| "-".to_owned()),
            time::relative(self.not_before.as_ref()).unwrap_or_else(|| "next".to_owned()),
            self.reason.clone(),
        ]
    }
}
