//! The templates that can serve a request; or why there is none.

use sprout_domain::{
    Catalogue, Error, Reason, Result, Visible, placement,
    pool::PoolRequest,
    provider::Provider,
    template::{BuildDate, Template, TemplateState},
};

use crate::{ports::TemplateFilter, queue::drivers, work::Work};

/// The templates that can serve the request, all of one version and date; never none. Those on providers that work come first; where there is none,
/// those on providers that do not work now: the request waits for them.
pub(super) async fn usable_templates(
    work: &mut Work,
    catalogue: &Catalogue,
    request: &PoolRequest,
    visible: Visible,
) -> Result<Vec<Template>> {
    let filter = TemplateFilter {
        group: Some(request.group.clone()),
        provider: request.provider.clone(),
        version: request.version.clone(),
        date: request.date,
        with_gone: false,
        usable_only: true,
        visible,
    };
    let now = wanted(catalogue, request, work.tx.templates(&filter).await?);
    if !now.is_empty() {
        return Ok(now);
    }
    let providers = work.tx.providers().await?;
    let all = work.tx.templates(&TemplateFilter { usable_only: false, ..filter.clone() }).await?;
    let enabled = |template: &Template| providers.iter().any(|p| p.key == template.provider && is_enabled(p));
    let later = wanted(catalogue, request, all.into_iter().filter(enabled).collect());
    if later.is_empty() { Err(why_none(work, catalogue, request, filter, providers).await?) } else { Ok(later) }
}

fn is_enabled(provider: &Provider) -> bool {
    !(provider.disabled || provider.switched_off || provider.hidden)
}

/// Those that are what was asked for, of the newest version and its newest date.
fn wanted(catalogue: &Catalogue, request: &PoolRequest, mut templates: Vec<Template>) -> Vec<Template> {
    templates.retain(|template| is_wanted(catalogue, request, template));
    if let Some((version, date)) = placement::resolve(&templates) {
        templates.retain(|t| t.version == version && t.date == date);
    }
    templates
}

fn is_wanted(catalogue: &Catalogue, request: &PoolRequest, template: &Template) -> bool {
    let driver = || drivers(catalogue).get(&template.provider).copied();
    request.unconfigured == template.unconfigured
        && request.template_type.is_none_or(|wanted| wanted == template.template_type)
        && request.provider_type.as_deref().is_none_or(|wanted| driver() == Some(wanted))
}

/// Says what stands in the way: the provider asked for, all providers, or the templates.
async fn why_none(
    work: &mut Work,
    catalogue: &Catalogue,
    request: &PoolRequest,
    filter: TemplateFilter,
    mut providers: Vec<Provider>,
) -> Result<Error> {
    if filter.visible.is_nothing() {
        let message = "you are in no user group with a provider; ask an administrator to put you into one";
        return Ok(Error::new(Reason::NoTemplate, message));
    }
    providers.retain(|provider| filter.visible.sees(&provider.key));
    providers.retain(|provider| request.provider.as_ref().is_none_or(|key| *key == provider.key));
    if let Some(error) = unusable(&providers) {
        return Ok(error);
    }
    if let Some(error) = held_back(work, catalogue, request, &filter).await? {
        return Ok(error);
    }
    let known = TemplateFilter { version: None, date: None, usable_only: false, ..filter };
    let mut known = work.tx.templates(&known).await?;
    known.retain(|template| is_wanted(catalogue, request, template));
    known.sort_by(|a, b| (&b.version, b.date).cmp(&(&a.version, a.date)));
    let mut versions: Vec<_> = known.iter().map(build_of).collect();
    versions.dedup();
    let there = if versions.is_empty() {
        "no provider has one (their names decide which belong to it; see `sproutctl template list`, and as staff `sproutctl catalogue status`)"
            .to_owned()
    } else {
        versions.truncate(5);
        format!("there is {}", versions.join(", "))
    };
    let sentence = format!("group {} has no {}: {there}", request.group, described(request));
    Ok(Error::new(Reason::NoTemplate, sentence))
}

/// What fits is there, but quarantined, or may not be used.
async fn held_back(
    work: &mut Work,
    catalogue: &Catalogue,
    request: &PoolRequest,
    filter: &TemplateFilter,
) -> Result<Option<Error>> {
    let all = TemplateFilter { with_gone: true, usable_only: false, ..filter.clone() };
    let mut found = work.tx.templates(&all).await?;
    found.retain(|t| is_wanted(catalogue, request, t));
    if let Some(first) = found.iter().find(|t| t.state == TemplateState::Ready && !t.said.unusable.is_empty()) {
        let message = format!(
            "no {} of group {} may be used: of template {} ({} on {}), {}; staff see more in `sproutctl catalogue status`",
            described(request),
            request.group,
            first.id,
            first.name,
            first.provider,
            first.said.unusable
        );
        return Ok(Some(Error::new(Reason::NoTemplate, message).with("template_id", first.id.to_string())));
    }
    let Some(first) = found.iter().find(|t| t.state == TemplateState::Quarantined) else { return Ok(None) };
    let message = format!(
        "every {} of group {} is quarantined, because its deployments fail ({}); it is tried now and then, and staff can \
         `sproutctl template release {}`",
        described(request),
        request.group,
        first.quarantine_reason,
        first.id
    );
    Ok(Some(Error::new(Reason::NoTemplate, message).with("template_id", first.id.to_string())))
}

/// All of these are disabled, or were never looked at.
fn unusable(providers: &[Provider]) -> Option<Error> {
    let first = providers.first()?;
    let key = &first.key;
    let state = if providers.iter().all(|provider| !is_enabled(provider)) {
        "is disabled; choose another one, or ask an administrator to enable it".to_owned()
    } else if providers.iter().all(|provider| !is_enabled(provider) || !provider.working) {
        let status = if first.checked_at.is_some() {
            format!("does not work: {}", first.status)
        } else {
            "was not checked yet (is a worker connected? see `sproutctl worker list`)".to_owned()
        };
        format!("{status}, and has no template that fits so far; mend it, then run `sproutctl provider check {key}`")
    } else {
        return None;
    };
    Some(Error::new(Reason::ProviderNotUsable, format!("provider {key} {state}")).with("provider", &*key.0))
}

/// "preconfigured template of version 5.11 on lab".
fn described(request: &PoolRequest) -> String {
    let kind = if request.unconfigured { "unconfigured template" } else { "preconfigured template" };
    let parts = [
        request.version.as_ref().map(|version| format!(" of version {version}")),
        request.date.map(|date| format!(" of date {date}")),
        request.template_type.map(|wanted| format!(" of type {wanted}")),
        request.provider.as_ref().map(|key| format!(" on {key}")),
        request.provider_type.as_ref().map(|wanted| format!(" on a provider of type {wanted}")),
    ];
    parts.into_iter().flatten().fold(kind.to_owned(), |sentence, part| sentence + &part)
}

/// "5.11.7.3 of 2020-09-10", or the version alone where names have no date.
fn build_of(template: &Template) -> String {
    let Template { version, date, .. } = template;
    if *date == BuildDate::default() { version.to_string() } else { format!("{version} of {date}") }
}
