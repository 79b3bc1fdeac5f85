//! Workers on the wire, as users see them.

use sprout_domain::worker::Worker;
use sprout_proto::worker as proto;

use super::{Wire, moment};

impl From<Wire<Worker>> for proto::Worker {
    fn from(Wire(worker): Wire<Worker>) -> Self {
        Self {
            id: worker.id.0,
            version: worker.version,
            connected: worker.connected,
            slots: worker.slots,
            running: worker.running_count,
            provider_types: worker.drivers,
            last_heard_at: Some(moment(worker.last_heard_at)),
            ..Default::default()
        }
    }
}
