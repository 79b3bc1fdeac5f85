//! The rules of Sprout: ids, entities, state machines, version order, placement. No I/O, no clock, no async.

pub mod appliance;
pub mod audit;
pub mod blame;
pub mod builds;
pub mod catalogue;
pub mod catalogue_sync;
pub mod circuit;
pub mod demand;
pub mod dispatch;
pub mod error;
pub mod event;
pub mod group;
pub mod ids;
pub mod job;
pub mod lease;
pub mod legacy;
pub mod machine;
pub mod naming;
pub mod obsolete;
pub mod operation;
pub mod placement;
pub mod pool;
pub mod preparation;
pub mod provider;
pub mod quarantine;
pub mod queue;
pub mod quota;
pub mod room;
pub mod secret;
pub mod shepherd;
pub mod stats;
pub mod template;
pub mod token;
pub mod turn;
pub mod usage;
pub mod user;
pub mod user_group;
pub mod version;
pub mod visibility;
pub mod worker;
pub mod workflow;

pub use catalogue::Catalogue;
pub use error::{Error, Reason, Result};
pub use ids::{
    ApplianceId, GroupName, PoolId, ProviderKey, TaskId, TemplateId, TokenId, UserGroupId, UserId, WorkerId, WorkflowId,
};
pub use secret::Secret;
pub use visibility::Visible;

/// A moment, by the database's clock unless said otherwise.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
