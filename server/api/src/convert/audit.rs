//! Audit records on the wire.

use prost_types::Timestamp as WireTimestamp;
use sprout_app::ports::RecordFilter;
use sprout_domain::{Error, Result, Timestamp, audit::Record};
use sprout_proto::audit as proto;

use super::{Wire, moment, optional_text};
use crate::page::PageRequest;

/// Which records are asked for.
pub(crate) struct Records {
    pub(crate) filter: RecordFilter,
    pub(crate) page: PageRequest,
}

impl TryFrom<Wire<proto::ListRecordsRequest>> for Records {
    type Error = Error;

    fn try_from(Wire(request): Wire<proto::ListRecordsRequest>) -> Result<Self> {
        let page = PageRequest::read(request.page_size, &request.page_token)?;
        let filter = RecordFilter {
            user: optional_text("user", request.user)?,
            method: optional_text("method", request.method)?,
            refused: request.refused,
            since: request.since.map(since).transpose()?,
        };
        Ok(Self { filter, page })
    }
}

fn since(at: WireTimestamp) -> Result<Timestamp> {
    let nanos = u32::try_from(at.nanos).ok();
    nanos.and_then(|nanos| Timestamp::from_timestamp(at.seconds, nanos)).ok_or_else(|| {
        Error::invalid("since", "since is no moment; send seconds since 1970 and 0 to 999,999,999 nanos")
    })
}

impl From<Wire<Record>> for proto::Record {
    fn from(Wire(record): Wire<Record>) -> Self {
        let Record { id, at, fact } = record;
        Self {
            id: id.unsigned_abs(),
            at: Some(moment(at)),
            user: fact.user,
            token: fact.token,
            peer: fact.peer,
            method: fact.method,
            request: fact.request,
            result: fact.result,
            message: fact.message,
        }
    }
}
