//! Templates: images on one provider.

use crate::{GroupName, ProviderKey, TemplateId, Timestamp, version::Version};

/// The day a template was built.
pub type BuildDate = chrono::NaiveDate;

/// Where a template is in its life. Preparation and retirement come with the code that does them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateState {
    /// Appliances can be cloned from it.
    Ready,
    /// No longer on the provider.
    Gone,
}

/// One image on one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Identity.
    pub id: TemplateId,
    /// Name on the provider.
    pub name: String,
    /// Where it is.
    pub provider: ProviderKey,
    /// Whose naming rule it matches.
    pub group: GroupName,
    /// Version read from its name.
    pub version: Version,
    /// Build date read from its name.
    pub date: BuildDate,
    /// Where it is in its life.
    pub state: TemplateState,
    /// When it was first found.
    pub found_at: Timestamp,
}
