//! Templates that are superfluous: which, what is to be done about them, and doing it.

use sprout_domain::{
    GroupName, ProviderKey, Result,
    group::Group,
    obsolete::{self, Action, AgeLimits, Verdict},
    template::{Template, TemplateState},
    user::User,
};

use crate::{
    App, catalogue_sync,
    ports::{Topic, Tx},
    visibility::visible_to,
    work::{Work, repeated},
};

impl App {
    /// What is to be done about templates on providers the caller sees, by group and provider, the oldest first; changes nothing.
    pub async fn plan_templates(
        &self,
        caller: &User,
        group: Option<&GroupName>,
        provider: Option<&ProviderKey>,
    ) -> Result<Vec<(Template, Verdict)>> {
        let catalogue = self.catalogue();
        if let Some(group) = group {
            catalogue.group(group)?;
        }
        let mut tx = self.ports.store.read().await?;
        let visible = visible_to(tx.as_mut(), caller).await?;
        if let Some(provider) = provider {
            catalogue.provider_seen(provider, &visible)?;
        }
        let mut planned = self.verdicts(tx.as_mut()).await?;
        planned.retain(|(template, _)| {
            visible.sees(&template.provider)
                && group.is_none_or(|group| *group == template.group)
                && provider.is_none_or(|provider| *provider == template.provider)
        });
        planned.sort_by_cached_key(|(t, _)| (t.group.clone(), t.provider.clone(), t.version.clone(), t.date, t.id));
        Ok(planned)
    }

    /// Marks the templates that are suggested for deletion, and those that are used no more. Returns how many there are of each.
    pub async fn mark_templates(&self) -> Result<(usize, usize)> {
        repeated(|| async {
            let mut work = self.work().await?;
            catalogue_sync::take_turn(&mut work).await?;
            let marked = self.mark_in_turn(&mut work).await?;
            work.commit().await?;
            Ok(marked)
        })
        .await
    }

    /// As [`App::mark_templates`], of whoever has taken the turn of those who write what is said of templates.
    pub(crate) async fn mark_in_turn(&self, work: &mut Work) -> Result<(usize, usize)> {
        let verdicts = self.verdicts(work.tx.as_mut()).await?;
        let ids = |which: fn(&Verdict) -> bool| -> Vec<_> {
            verdicts.iter().filter(|(_, verdict)| which(verdict)).map(|(template, _)| template.id).collect()
        };
        let (suggested, obsolete) = (ids(|verdict| verdict.suggested), ids(Verdict::is_obsolete));
        if work.tx.mark_templates(&suggested, &obsolete).await? > 0 {
            work.wake(Topic::Warm);
            work.wake(Topic::Queue);
        }
        Ok((suggested.len(), obsolete.len()))
    }

    /// Retires what is too old, and begins anew to delete what could not be deleted. Returns what it did.
    pub async fn delete_obsolete_templates(&self) -> Result<String> {
        let catalogue = self.catalogue();
        let mut tx = self.ports.store.read().await?;
        let verdicts = self.verdicts(tx.as_mut()).await?;
        let mut due: Vec<_> = verdicts
            .into_iter()
            .filter(|(_, verdict)| verdict.action == Action::Delete)
            .map(|(template, verdict)| (template, verdict.reason))
            .collect();
        due.extend(tx.undeleted_templates().await?.into_iter().map(|template| (template, "again".to_owned())));
        drop(tx);
        let (mut begun, mut refused) = (0, Vec::new());
        for (template, why) in due.iter().filter(|(template, _)| catalogue.providers.contains_key(&template.provider)) {
            match self.retire_template(template.id, why, None).await {
                Ok(_) => begun += 1,
                // The others are not to wait for this one.
                Err(error) => refused.push(format!("template {}: {}", template.id, error.message)),
            }
        }
        let refused = if refused.is_empty() { String::new() } else { format!("; not so {}", refused.join("; ")) };
        Ok(format!("{begun} templates are being deleted{refused}"))
    }

    async fn verdicts(&self, tx: &mut dyn Tx) -> Result<Vec<(Template, Verdict)>> {
        let catalogue = self.catalogue();
        let mut templates = tx.standing_templates().await?;
        // What is retiring is judged already.
        templates.retain(|template| template.state != TemplateState::Retiring);
        let limits = |group: &GroupName| catalogue.groups.get(group).map(age_limits).unwrap_or_default();
        let verdicts = obsolete::judge(&templates, limits, tx.now().date_naive());
        let mut templates: std::collections::BTreeMap<_, _> = templates.into_iter().map(|t| (t.id, t)).collect();
        Ok(verdicts.into_iter().filter_map(|verdict| Some((templates.remove(&verdict.template)?, verdict))).collect())
    }
}

fn age_limits(group: &Group) -> AgeLimits {
    AgeLimits { disuse: group.template_obsolete_days, delete: group.template_obsolete_days_delete }
}
