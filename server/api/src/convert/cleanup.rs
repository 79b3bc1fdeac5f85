//! Clean-up rules and plans on the wire.

use sprout_app::WantedRule;
use sprout_domain::{
    Error, Result,
    machine::leftover::{Planned, Rule},
};
use sprout_proto::cleanup as proto;

use super::{Wire, duration, moment, span, text};

/// A provider, unless all are meant.
pub(crate) fn provider(key: String) -> Option<sprout_domain::ProviderKey> {
    (!key.is_empty()).then_some(sprout_domain::ProviderKey(key))
}

impl TryFrom<Wire<proto::CreateRuleRequest>> for WantedRule {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::CreateRuleRequest>) -> Result<Self> {
        Ok(Self {
            pattern: text("name_pattern", request.name_pattern)?,
            min_age: duration("min_age", request.min_age)?,
            provider: provider(request.provider),
        })
    }
}

impl From<Wire<Rule>> for proto::Rule {
    fn from(Wire(rule): Wire<Rule>) -> Self {
        Self {
            id: rule.id.unsigned_abs(), // the database counts from 1
            name_pattern: rule.pattern.as_str().to_owned(),
            min_age: Some(span(rule.min_age)),
            provider: rule.provider.map(|key| key.0).unwrap_or_default(),
            created_by: rule.created_by,
            created_at: Some(moment(rule.created_at)),
        }
    }
}

impl From<Wire<Planned>> for proto::PlannedDeletion {
    fn from(Wire(planned): Wire<Planned>) -> Self {
        let Planned { machine, reason, not_before, doubted } = planned;
        let doubts = "; not before someone runs the job `leaks`, because most of what is ours there would go";
        Self {
            provider: machine.provider.0,
            name: machine.name,
            first_seen_at: Some(moment(machine.first_seen_at)),
            reason: if doubted { reason + doubts } else { reason },
            not_before: not_before.map(moment),
        }
    }
}
