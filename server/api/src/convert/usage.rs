//! Usage on the wire.

use chrono::NaiveDate;
use sprout_app::UsageQuestion;
use sprout_domain::{Error, Result, usage::Dimension};
use sprout_proto::usage as proto;

use super::{Wire, optional_text};

/// What is asked for, and what sums are to be made by.
pub(crate) struct Asked {
    pub(crate) question: UsageQuestion,
    pub(crate) by: Vec<Dimension>,
}

impl TryFrom<Wire<proto::QueryUsageRequest>> for Asked {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::QueryUsageRequest>) -> Result<Self> {
        let question = UsageQuestion {
            from: day("from", &request.from)?,
            to: day("to", &request.to)?,
            user: optional_text("user", request.user)?,
            user_group: optional_text("user_group", request.user_group)?,
            group: optional_text("group", request.group)?,
            provider: optional_text("provider", request.provider)?,
        };
        let by: Vec<Dimension> = request.by.into_iter().map(dimension).collect::<Result<_>>()?;
        if by.iter().enumerate().any(|(at, dimension)| by[..at].contains(dimension)) {
            return Err(Error::invalid("by", "a dimension is given twice; give each once"));
        }
        Ok(Self { question, by })
    }
}

fn day(field: &'static str, text: &str) -> Result<Option<NaiveDate>> {
    if text.is_empty() {
        return Ok(None);
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    day.map(Some).ok_or_else(|| Error::invalid(field, format!("{field} is no day; write it as 2026-01-31")))
}

fn dimension(number: i32) -> Result<Dimension> {
    match proto::UsageDimension::try_from(number) {
        Ok(proto::UsageDimension::Day) => Ok(Dimension::Day),
        Ok(proto::UsageDimension::User) => Ok(Dimension::User),
        Ok(proto::UsageDimension::UserGroup) => Ok(Dimension::UserGroup),
        Ok(proto::UsageDimension::Group) => Ok(Dimension::Group),
        Ok(proto::UsageDimension::Provider) => Ok(Dimension::Provider),
        Ok(proto::UsageDimension::Unspecified) | Err(_) => {
            Err(Error::invalid("by", "there is no such dimension; sum by day, user, user group, group or provider"))
        }
    }
}

/// One sum, with the values of the dimensions it is by.
pub(crate) fn row(by: &[Dimension], values: Vec<String>, seconds: u64) -> proto::UsageRow {
    #[allow(clippy::cast_precision_loss, reason = "hours of centuries are exact enough")]
    let mut row = proto::UsageRow { appliance_hours: seconds as f64 / 3600.0, ..proto::UsageRow::default() };
    for (dimension, value) in by.iter().zip(values) {
        *match dimension {
            Dimension::Day => &mut row.day,
            Dimension::User => &mut row.user,
            Dimension::UserGroup => &mut row.user_group,
            Dimension::Group => &mut row.group,
            Dimension::Provider => &mut row.provider,
        } = value;
    }
    row
}
