//! Why pools wait, on the wire.

use sprout_app::{Explanation, WaitReason};
use sprout_domain::Timestamp;
use sprout_proto::pool as proto;

use super::{Wire, moment, span};

impl From<Wire<Explanation>> for proto::ExplainPoolResponse {
    fn from(Wire(explanation): Wire<Explanation>) -> Self {
        let Explanation { view, ready_in, basis, reasons } = explanation;
        Self {
            position: view.place.map(|place| place.first),
            pool: Some(Wire(view).into()),
            ready_in: ready_in.map(span),
            basis,
            reasons: reasons.into_iter().map(|reason| Wire(reason).into()).collect(),
        }
    }
}

impl From<Wire<Option<Timestamp>>> for proto::KeepPoolAliveResponse {
    fn from(Wire(alive_until): Wire<Option<Timestamp>>) -> Self {
        Self { alive_until: alive_until.map(moment) }
    }
}

impl From<Wire<WaitReason>> for proto::WaitReason {
    fn from(Wire(reason): Wire<WaitReason>) -> Self {
        let kind = if reason.never { proto::WaitReasonKind::Never } else { proto::WaitReasonKind::NotYet };
        Self {
            kind: kind.into(),
            code: reason.code.to_owned(),
            message: reason.message,
            provider: reason.provider.map(|key| key.0),
            until: reason.until.map(moment),
        }
    }
}
