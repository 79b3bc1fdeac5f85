//! Why pools wait, as it is shown.

use serde::Serialize;
use sprout_client::proto::pool::{ExplainPoolResponse, WaitReason, WaitReasonKind};

use super::{Card, Row, facts, lower, pool::PoolView, some, stdout_width, table, time};

/// Why a pool waits.
#[derive(Debug, Serialize)]
pub(crate) struct WaitView {
    pool: PoolView,
    position: Option<u32>,
    ready_in_seconds: Option<i64>,
    basis: String,
    reasons: Vec<ReasonView>,
}

/// One thing that stands in the way.
#[derive(Debug, Serialize)]
struct ReasonView {
    kind: String,
    code: String,
    message: String,
    provider: Option<String>,
    until: Option<String>,
}

impl WaitView {
    /// None if the answer has no pool.
    pub(crate) fn new(answer: ExplainPoolResponse) -> Option<Self> {
        Some(Self {
            pool: PoolView::listed(answer.pool?),
            position: answer.position,
            ready_in_seconds: time::seconds(answer.ready_in),
            basis: answer.basis,
            reasons: answer.reasons.into_iter().map(ReasonView::from).collect(),
        })
    }

    /// What to do about it.
    fn hint(&self) -> String {
        let id = self.pool.id;
        let is_hopeless = !self.reasons.is_empty() && self.reasons.iter().all(|reason| reason.kind == "never");
        match (is_hopeless, self.position) {
            (true, _) => format!("It cannot be fulfilled as things are; end it with `sproutctl pool kill {id}`."),
            (false, Some(_)) => format!("Wait for it with `sproutctl pool watch {id}`."),
            (false, None) => String::new(),
        }
    }
}

impl From<WaitReason> for ReasonView {
    fn from(reason: WaitReason) -> Self {
        Self {
            kind: lower(reason.kind, WaitReasonKind::as_str_name, "WAIT_REASON_KIND_"),
            code: reason.code,
            message: reason.message,
            provider: reason.provider,
            until: time::rfc3339(reason.until),
        }
    }
}

impl Row for ReasonView {
    const PLURAL: &'static str = "reasons";
    const COLUMNS: &'static [&'static str] = &["PASSES", "CODE", "UNTIL", "WHAT"];

    fn cells(&self) -> Vec<String> {
        vec![
            if self.kind == "never" { "never" } else { "by itself" }.to_owned(),
            self.code.clone(),
            time::relative(self.until.as_ref()).unwrap_or_else(|| "-".to_owned()),
            self.message.clone(),
        ]
    }
}

impl Card for WaitView {
    fn text(&self) -> String {
        let ready_in = self.ready_in_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(time::rough);
        let mut text = facts(&[
            ("pool", Some(self.pool.id.to_string())),
            ("state", Some(self.pool.state.clone())),
            ("ready", Some(format!("{} of {}", self.pool.ready_count, self.pool.count))),
            ("number in line", self.position.map(|position| position.to_string())),
            ("ready in about", ready_in),
            ("rests on", some(self.basis.clone())),
        ]);
        if !self.reasons.is_empty() {
            text.push('\n');
            text.push_str(&table::render(&self.reasons, stdout_width()));
        }
        let hint = self.hint();
        if !hint.is_empty() {
            text.push('\n');
            text.push_str(&hint);
            text.push('\n');
        }
        text
    }
}
