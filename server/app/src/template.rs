//! Templates, as found on providers.

use std::cmp::Reverse;

use sprout_domain::{Error, Reason, Result, TemplateId, template::Template, user::User};

use crate::{App, ports::TemplateFilter, visibility::visible_to};

impl App {
    /// The templates that match on providers the caller sees, newest version and date first.
    pub async fn templates(&self, caller: &User, filter: &TemplateFilter) -> Result<Vec<Template>> {
        let catalogue = self.catalogue();
        if let Some(group) = &filter.group {
            catalogue.group(group)?;
        }
        let mut tx = self.ports.store.read().await?;
        let visible = visible_to(tx.as_mut(), caller).await?;
        if let Some(provider) = &filter.provider {
            catalogue.provider_seen(provider, &visible)?;
        }
        let mut templates = tx.templates(&TemplateFilter { visible, ..filter.clone() }).await?;
        templates
            .sort_by_cached_key(|t| (t.group.clone(), Reverse((t.version.clone(), t.date)), t.provider.clone(), t.id));
        Ok(templates)
    }

    /// One template on a provider the caller sees.
    pub async fn template(&self, caller: &User, id: TemplateId) -> Result<Template> {
        let mut tx = self.ports.store.read().await?;
        let visible = visible_to(tx.as_mut(), caller).await?;
        let found = tx.template(id).await?.filter(|template| visible.sees(&template.provider));
        found.ok_or_else(|| {
            Error::new(Reason::TemplateNotFound, format!("there is no template {id}; see `sproutctl template list`"))
        })
    }
}
