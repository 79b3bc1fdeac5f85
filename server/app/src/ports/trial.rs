//! Circuits of providers and quarantines of templates, as the store keeps them.

use async_trait::async_trait;
use sprout_domain::{
    ApplianceId, ProviderKey, Result, TemplateId, Timestamp, provider::Circuit, quarantine::Trial, template::Template,
};

/// Providers and templates of which failures are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubled {
    /// The providers, by key.
    pub providers: Vec<ProviderKey>,
    /// The templates, by id.
    pub templates: Vec<TemplateId>,
}

/// Circuits and quarantines. Locked after tasks and before pools: providers, then templates.
#[async_trait]
pub trait TrialRows: Send {
    /// Those of these providers, and of the templates of these appliances, of which failures are counted; not locked.
    async fn troubled(&mut self, providers: &[ProviderKey], appliances: &[ApplianceId]) -> Result<Troubled>;

    /// The circuit of a provider, locked.
    async fn lock_circuit(&mut self, key: &ProviderKey) -> Result<Option<Circuit>>;

    /// Writes the circuit of a provider.
    async fn set_circuit(&mut self, key: &ProviderKey, circuit: &Circuit) -> Result<()>;

    /// A template and what is counted of it, locked.
    async fn lock_trial(&mut self, id: TemplateId) -> Result<Option<(Template, Trial)>>;

    /// Writes what is counted of a template.
    async fn set_trial(&mut self, id: TemplateId, trial: &Trial) -> Result<()>;

    /// Providers and templates whose next try is due; not locked.
    async fn due_tries(&mut self) -> Result<Troubled>;

    /// When the next try is due.
    async fn next_try(&mut self) -> Result<Option<Timestamp>>;

    /// Whether an appliance of this template is being deployed.
    async fn is_being_deployed(&mut self, template: TemplateId) -> Result<bool>;

    /// Takes a failed appliance (locked) out of its pool, if a quarantined template names it as its specimen; says whether it did.
    async fn keep_specimen(&mut self, appliance: ApplianceId) -> Result<bool>;

    /// Failed appliances that were kept, and that no quarantined template names any more.
    async fn stale_specimens(&mut self) -> Result<Vec<ApplianceId>>;

    /// What staff switch of a provider; says whether that changed anything.
    async fn switch_provider(
        &mut self,
        key: &ProviderKey,
        switched_off: Option<bool>,
        hidden: Option<bool>,
    ) -> Result<bool>;
}
