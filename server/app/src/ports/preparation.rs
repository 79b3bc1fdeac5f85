//! Templates that are prepared from others, as the store keeps them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, GroupName, ProviderKey, Result, TemplateId, Timestamp, WorkflowId,
    template::{BuildDate, Preparations, Said, Template, TemplateType},
    version::Version,
    workflow::StepKind,
};

/// A template that is to be made; the rest of [`Template`] starts empty.
#[derive(Debug, Clone)]
pub struct NewPrepared {
    /// As in [`Template`].
    pub name: String,
    /// As in [`Template`].
    pub provider: ProviderKey,
    /// As in [`Template`].
    pub group: GroupName,
    /// As in [`Template`].
    pub version: Version,
    /// As in [`Template`].
    pub date: BuildDate,
    /// As in [`Template`].
    pub template_type: TemplateType,
    /// As in [`Template`].
    pub parent_id: Option<TemplateId>,
    /// As in [`Template`].
    pub build: String,
    /// As in [`Template`].
    pub said: Said,
}

/// Indexes of builds, wherever they are.
#[async_trait]
pub trait BuildIndex: Send + Sync + fmt::Debug {
    /// The text at this address; or what is wrong with it, in a sentence.
    async fn read(&self, url: &str) -> Result<String, String>;
}

/// A preparation under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// The template that is being made.
    pub template_id: TemplateId,
    /// The appliance that becomes it.
    pub appliance_id: ApplianceId,
    /// What makes it.
    pub workflow_id: WorkflowId,
    /// The step that it is at.
    pub step: Option<StepKind>,
}

/// Preparations.
#[async_trait]
pub trait PreparationRows: Send {
    /// Inserts a template in state preparing. [`sprout_domain::Reason::Conflict`] if one is being made of its parent already.
    async fn insert_preparing(&mut self, new: &NewPrepared) -> Result<Template>;

    /// The template that is being made of this one.
    async fn preparing_of(&mut self, parent: TemplateId) -> Result<Option<Template>>;

    /// How the preparations of these templates stand, of those that have not ended.
    async fn preparations(&mut self, templates: &[TemplateId]) -> Result<Vec<UnderWay>>;

    /// Of these templates those that are being prepared, locked.
    async fn lock_preparing(&mut self, templates: &[TemplateId]) -> Result<Vec<Template>>;

    /// Writes that a template is made, and ready from now on.
    async fn set_prepared(&mut self, id: TemplateId) -> Result<()>;

    /// Writes that a template is made no more: it is gone, or where an image of it may be there, retiring.
    async fn give_up_preparing(&mut self, id: TemplateId, may_be_there: bool) -> Result<()>;

    /// A worker was asked to make a template of this appliance.
    async fn was_made(&mut self, appliance: ApplianceId) -> Result<bool>;

    /// How preparing a template goes.
    async fn set_preparations(&mut self, id: TemplateId, preparations: &Preparations) -> Result<()>;

    /// Writes which version was found inside of templates, and where that is to be their version, that, too.
    async fn set_verified(&mut self, ids: &[TemplateId], found: &str, correct: bool) -> Result<()>;

    /// Writes the key that an appliance's SSH server showed first.
    async fn set_host_key(&mut self, appliance: ApplianceId, key: &str) -> Result<()>;

    /// Templates on a provider that were prepared, by name; gone ones, too.
    async fn prepared_templates(&mut self, provider: &ProviderKey) -> Result<BTreeMap<String, Template>>;

    /// Writes which templates on a provider have to be prepared before use: those of these groups that were found there. Returns how many rows changed.
    async fn mark_unconfigured(&mut self, provider: &ProviderKey, groups: &[GroupName]) -> Result<u64>;

    /// Templates of these groups that nothing was prepared from, on providers that are used and of which none is to wait, newest date first.
    async fn preparable_templates(&mut self, groups: &[GroupName]) -> Result<Vec<Template>>;

    /// Appliances that are being made templates, by provider.
    async fn configuring(&mut self) -> Result<BTreeMap<ProviderKey, u32>>;

    /// Builds on providers that are there, are being made, or could not be made since then.
    async fn builds(&mut self, since: Timestamp) -> Result<BTreeSet<(ProviderKey, String)>>;

    /// The appliance that was, or is being, made a template last.
    async fn workshop(&mut self, template: TemplateId) -> Result<Option<ApplianceId>>;
}
