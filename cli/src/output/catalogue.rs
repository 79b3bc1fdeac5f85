//! Catalogues, and what names say, as they are shown.

use serde::Serialize;
use sprout_client::proto::catalogue::{GetStatusResponse, NameReading, Problem, ProblemKind, Source, SourceKind};

use super::{Card, Row, facts, job::JobView, lower, some, time};

/// What was found last.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    job: Option<JobView>,
    sources: Vec<SourceView>,
}

/// A catalogue, or the templates of a provider.
#[derive(Debug, Serialize)]
struct SourceView {
    name: String,
    kind: String,
    looked_at: Option<String>,
    failure: Option<String>,
    failed_since: Option<String>,
    listed_count: u64,
    usable_count: u64,
    changed_at: Option<String>,
    change: Option<String>,
    problem_count: u64,
    problems: Vec<ProblemView>,
}

#[derive(Debug, Serialize)]
struct ProblemView {
    kind: String,
    provider: Option<String>,
    subject: String,
    message: String,
}

/// What the rules make of a name.
#[derive(Debug, Serialize)]
pub(crate) struct ReadingView {
    name: String,
    rule: Option<String>,
    matching_rules: Vec<String>,
    product: Option<String>,
    group: Option<String>,
    group_exists: bool,
    version: Option<String>,
    date: Option<String>,
    #[serde(rename = "type")]
    build_type: Option<String>,
    usable: bool,
    message: Option<String>,
}

impl From<GetStatusResponse> for StatusView {
    fn from(status: GetStatusResponse) -> Self {
        Self { job: status.job.map(JobView::from), sources: status.sources.into_iter().map(SourceView::from).collect() }
    }
}

impl From<Source> for SourceView {
    fn from(source: Source) -> Self {
        Self {
            kind: lower(source.kind, SourceKind::as_str_name, "SOURCE_KIND_"),
            name: source.name,
            looked_at: time::rfc3339(source.looked_at),
            failure: some(source.failure),
            failed_since: time::rfc3339(source.failed_since),
            listed_count: source.listed_count,
            usable_count: source.usable_count,
            changed_at: time::rfc3339(source.changed_at),
            change: some(source.change),
            problem_count: source.problem_count,
            problems: source.problems.into_iter().map(ProblemView::from).collect(),
        }
    }
}

impl From<Problem> for ProblemView {
    fn from(problem: Problem) -> Self {
        Self {
            kind: lower(problem.kind, ProblemKind::as_str_name, "PROBLEM_KIND_"),
            provider: some(problem.provider),
            subject: problem.subject,
            message: problem.message,
        }
    }
}

impl From<NameReading> for ReadingView {
    fn from(reading: NameReading) -> Self {
        Self {
            name: reading.name,
            rule: some(reading.rule),
            matching_rules: reading.matching_rules,
            product: some(reading.product),
            group: some(reading.stream),
            group_exists: reading.group_exists,
            version: some(reading.version),
            date: some(reading.date),
            build_type: some(reading.r#type),
            usable: reading.usable,
            message: some(reading.message),
        }
    }
}

impl SourceView {
    fn text(&self) -> String {
        let since = time::relative_and_exact(self.failed_since.as_ref()).map(|since| format!(" (since {since})"));
        let failure = self.failure.as_ref().map(|failure| failure.clone() + &since.unwrap_or_default());
        let change = self.change.as_ref().map(|change| {
            let when = time::relative_and_exact(self.changed_at.as_ref()).unwrap_or_default();
            format!("{change}, {when}")
        });
        let problems = (self.problem_count > 0).then(|| self.problem_count.to_string());
        let mut text = facts(&[
            (&*self.kind, Some(self.name.clone())),
            ("templates", Some(format!("{}, of which {} may be used", self.listed_count, self.usable_count))),
            ("looked at", time::relative_and_exact(self.looked_at.as_ref())),
            ("changed", change),
            ("failure", failure),
            ("not understood", problems),
        ]);
        text.extend(self.problems.iter().map(|problem| {
            // A provider's own problems need not repeat its key.
            let place = problem.provider.as_ref().filter(|provider| **provider != self.name);
            let place = place.map(|provider| format!(" on {provider}")).unwrap_or_default();
            format!("  {}{place}: {}\n", problem.subject, problem.message)
        }));
        let more = self.problem_count.saturating_sub(self.problems.len() as u64);
        text.extend((more > 0).then(|| format!("  and {more} more\n")));
        text
    }
}

impl Card for StatusView {
    fn text(&self) -> String {
        let job = self.job.as_ref().map_or_else(|| "catalogues were never read\n".to_owned(), Card::text);
        let sources = self.sources.iter().map(|source| format!("\n{}", source.text()));
        job + &sources.collect::<String>()
    }
}

impl Row for ReadingView {
    const PLURAL: &'static str = "names";
    const COLUMNS: &'static [&'static str] = &["NAME", "RULE", "GROUP", "VERSION", "DATE", "TYPE", "SAYS"];

    fn cells(&self) -> Vec<String> {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let says = match &self.message {
            Some(message) => message.clone(),
            None if self.group_exists => "a template that may be used".to_owned(),
            None => "there is no such group".to_owned(),
        };
        vec![
            self.name.clone(),
            or_none(&self.rule),
            or_none(&self.group),
            or_none(&self.version),
            or_none(&self.date),
            or_none(&self.build_type),
            says,
        ]
    }
}
