//! Workers on the wire, as users see them.

use sprout_domain::worker::Worker;
use sprout_proto::{task::Lane, worker as proto};

use super::{Wire, moment};

impl From<Wire<Worker>> for proto::Worker {
    fn from(Wire(worker): Wire<Worker>) -> Self {
        let own = |(lane, slots)| proto::LaneSlots { lane: Lane::from(Wire(lane)).into(), slots };
        Self {
            id: worker.id.0,
            version: worker.version,
            connected: worker.connected,
            slots: worker.slots.shared,
            running: worker.running_count,
            provider_types: worker.drivers,
            last_heard_at: Some(moment(worker.last_heard_at)),
            labels: worker.labels.into_iter().collect(),
            lane_slots: worker.slots.lanes.into_iter().map(own).collect(),
            drained: worker.drained,
            leaving: worker.leaving,
        }
    }
}
