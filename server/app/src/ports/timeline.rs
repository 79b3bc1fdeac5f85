//! What happened to one thing, latest first.

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, PoolId, ProviderKey, Result,
    event::{Event, EventKind},
};

use super::{Page, Told};

/// What a timeline is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Everything.
    All,
    /// A pool and its appliances.
    Pool(PoolId),
    /// An appliance, and its pool as a whole, if it is in one.
    Appliance(ApplianceId, Option<PoolId>),
    /// A provider itself, not what is on it.
    Provider(ProviderKey),
    /// What someone may be told.
    Told(Told),
}

/// Which events to list.
#[derive(Debug, Clone)]
pub struct TimelineFilter {
    /// What they are about.
    pub about: About,
    /// Only of these kinds; empty: of all.
    pub kinds: Vec<EventKind>,
}

/// Timelines.
#[async_trait]
pub trait TimelineRows: Send {
    /// A page of events, latest first; the page counts sequences.
    async fn timeline(&mut self, filter: &TimelineFilter, page: Page) -> Result<Vec<Event>>;
}
