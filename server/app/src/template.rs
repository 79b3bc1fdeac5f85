//! Templates, as found on providers.

use std::cmp::Reverse;

use sprout_domain::{Result, template::Template};

use crate::{App, ports::TemplateFilter};

impl App {
    /// The templates that match, newest version and date first.
    pub async fn templates(&self, filter: &TemplateFilter) -> Result<Vec<Template>> {
        let catalogue = self.catalogue();
        if let Some(group) = &filter.group {
            catalogue.group(group)?;
        }
        if let Some(provider) = &filter.provider {
            catalogue.provider(provider)?;
        }
        let mut templates = self.ports.store.read().await?.templates(filter).await?;
        templates
            .sort_by_cached_key(|t| (t.group.clone(), Reverse((t.version.clone(), t.date)), t.provider.clone(), t.id));
        Ok(templates)
    }
}
