//! The state of configuration on the wire.

use sprout_app::Configuration;
use sprout_proto::config as proto;

use super::Wire;

impl From<Wire<Configuration>> for proto::ConfigStatus {
    fn from(Wire(configuration): Wire<Configuration>) -> Self {
        let Configuration { generation: _, loaded_at, files, notes, waiting, refused } = configuration;
        Self {
            loaded_at: Some(loaded_at.into()),
            files,
            notes,
            waiting_for_restart: waiting,
            refused_at: refused.as_ref().map(|refused| refused.refused_at.into()),
            mistakes: refused.map(|refused| refused.mistakes).unwrap_or_default(),
        }
    }
}
