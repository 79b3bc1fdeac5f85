//! Catalogues, and what names say, on the wire.

use sprout_app::CatalogueStatus;
use sprout_domain::{
    Timestamp,
    catalogue_sync::{Look, Place, Problem, ProblemKind},
    naming::{Day, Reading, Unread},
};
use sprout_proto::catalogue as proto;

use super::{Wire, moment};

impl From<Wire<CatalogueStatus>> for proto::GetStatusResponse {
    fn from(Wire(status): Wire<CatalogueStatus>) -> Self {
        Self {
            job: status.job.map(|job| Wire(job).into()),
            sources: status.looks.into_iter().map(|look| Wire(look).into()).collect(),
        }
    }
}

impl From<Wire<(Look, Option<Timestamp>)>> for proto::Source {
    fn from(Wire((look, looked_at)): Wire<(Look, Option<Timestamp>)>) -> Self {
        let (kind, name) = match look.place {
            Place::Source(name) => (proto::SourceKind::Catalogue, name),
            Place::Provider(key) => (proto::SourceKind::Provider, key.0),
        };
        Self {
            name,
            kind: kind.into(),
            looked_at: looked_at.map(moment),
            failure: look.failure,
            failed_since: look.failed_since.map(moment),
            listed_count: look.listed,
            usable_count: look.usable,
            changed_at: look.changed_at.map(moment),
            change: look.change,
            problem_count: look.problem_count,
            problems: look.problems.into_iter().map(|problem| Wire(problem).into()).collect(),
        }
    }
}

impl From<Wire<Problem>> for proto::Problem {
    fn from(Wire(problem): Wire<Problem>) -> Self {
        let kind = match problem.kind {
            ProblemKind::NoRule => proto::ProblemKind::NoRule,
            ProblemKind::TwoRules => proto::ProblemKind::TwoRules,
            ProblemKind::OtherGroup => proto::ProblemKind::OtherGroup,
            ProblemKind::Contradiction => proto::ProblemKind::Contradiction,
            ProblemKind::Malformed => proto::ProblemKind::Malformed,
        };
        let Problem { provider, subject, message, .. } = problem;
        Self { kind: kind.into(), provider, subject, message }
    }
}

/// What the rules make of a name; whether there is such a group is for the caller to add.
impl From<Wire<(String, Result<Reading, Unread>)>> for proto::NameReading {
    fn from(Wire((name, reading)): Wire<(String, Result<Reading, Unread>)>) -> Self {
        match reading {
            Err(unread) => {
                let message = unread.to_string();
                let matching_rules = match unread {
                    Unread::TwoRules(rules) => rules,
                    Unread::NoRule(_) => Vec::new(),
                };
                Self { name, matching_rules, message, ..Self::default() }
            }
            Ok(reading) => {
                let message = if reading.ignore {
                    "it is not the name of a template to use".to_owned()
                } else if reading.unusable {
                    "builds of this type are not used".to_owned()
                } else {
                    String::new()
                };
                // What a build without a version gets where its date is known.
                let version = match (&reading.version, reading.day) {
                    (Some(version), _) => version.to_string(),
                    (None, Some(Day::Full(date))) if !reading.ignore => reading.build(date).0.to_string(),
                    _ => String::new(),
                };
                let date = match reading.day {
                    None => String::new(),
                    Some(Day::Full(date)) => date.to_string(),
                    Some(Day::Yearless { month, day }) => format!("--{month:02}-{day:02}"),
                };
                Self {
                    name,
                    matching_rules: Vec::new(),
                    rule: reading.rule,
                    product: reading.product.unwrap_or_default(),
                    stream: reading.stream,
                    group_exists: false,
                    version,
                    date,
                    r#type: reading.build_type.unwrap_or_default(),
                    usable: message.is_empty(),
                    message,
                }
            }
        }
    }
}
