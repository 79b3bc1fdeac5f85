//! Catalogues: reading them, and what the store remembers of them.

use std::fmt;

use async_trait::async_trait;
use sprout_domain::{
    ProviderKey, Result, TemplateId,
    catalogue::Source,
    catalogue_sync::{Entry, Listing, Look, Place},
    template::Said,
};

/// Reads sources.
#[async_trait]
pub trait Listings: fmt::Debug + Send + Sync {
    /// Reads all that a source lists, within bounds of time and size. What is right of it is there, whatever is wrong with the rest.
    async fn read(&self, source: &Source) -> Listing;
}

/// What is remembered of sources, and of the last looks at them and at providers.
#[async_trait]
pub trait CatalogueRows: Send {
    /// What a source says, in no order; with the ids to remove it by.
    async fn catalogue_entries(&mut self, source: &str) -> Result<Vec<(i64, Entry)>>;

    /// What all sources say of the templates of a provider, each with the source.
    async fn catalogue_entries_of(&mut self, provider: &ProviderKey) -> Result<Vec<(String, Entry)>>;

    /// Writes what a source says now, in this order, and removes what it says no more.
    async fn change_catalogue_entries(&mut self, source: &str, written: &[Entry], removed: &[i64]) -> Result<()>;

    /// Writes what is said of templates. Returns how many rows changed.
    async fn set_said(&mut self, said: &[(TemplateId, Said)]) -> Result<u64>;

    /// The last looks, sources before providers, by name.
    async fn looks(&mut self) -> Result<Vec<Look>>;

    /// Writes what a look found, unless that is what the last one found; moments are the store's to know. Says whether it was written.
    async fn note_look(&mut self, look: &Look) -> Result<bool>;

    /// Forgets looks at other places than these, and what other sources said. Returns how many looks were forgotten.
    async fn forget_looks(&mut self, places: &[Place]) -> Result<u64>;
}
