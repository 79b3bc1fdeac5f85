//! Templates that are superfluous: those of older versions, and those that are simply old.
//!
//! All but the newest version of each z-stream are suggested for deletion, per group, provider and kind; people decide. Where a group says so, templates
//! beyond an age are used no more, and beyond a greater one deleted. What is the newest that works, by version or by date, always stays in use.

use std::collections::BTreeMap;

use crate::{
    GroupName, ProviderKey, TemplateId,
    template::{BuildDate, Template, TemplateState, TemplateType},
    version::{Stream, Version},
};

/// Beyond which age, in days, templates of a group are used no more, and are deleted; none: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgeLimits {
    /// Used no more.
    pub disuse: Option<u32>,
    /// Deleted.
    pub delete: Option<u32>,
}

/// What is to be done about a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is suggested for deletion.
    Suggest,
    /// It is used for no new appliances.
    Disuse,
    /// It is deleted.
    Delete,
    /// Nothing, although it is old: nothing newer works.
    Keep,
}

/// What is to be done about a template, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The template.
    pub template: TemplateId,
    /// What is to be done.
    pub action: Action,
    /// A newer version of its z-stream works.
    pub suggested: bool,
    /// Why.
    pub reason: String,
}

impl Verdict {
    /// It is used for no new appliances.
    pub fn is_obsolete(&self) -> bool {
        matches!(self.action, Action::Disuse | Action::Delete)
    }
}

/// Templates that can stand in for each other.
type Kin<'a> = (&'a GroupName, &'a ProviderKey, bool, &'static str);

fn kin(template: &Template) -> Kin<'_> {
    (&template.group, &template.provider, template.unconfigured, TemplateType::as_str(template.template_type))
}

/// What is the newest that works among those that can stand in for each other.
struct Newest<'a> {
    build: (&'a Version, BuildDate),
    date: BuildDate,
    of_streams: BTreeMap<Stream, &'a Version>,
}

/// Judges templates that are there and not being deleted; of those of which there is nothing to say, nothing is said.
pub fn judge(templates: &[Template], limits: impl Fn(&GroupName) -> AgeLimits, today: BuildDate) -> Vec<Verdict> {
    let mut newest: BTreeMap<Kin<'_>, Newest<'_>> = BTreeMap::new();
    for template in templates.iter().filter(|template| works(template)) {
        let build = (&template.version, template.date);
        let best = newest.entry(kin(template)).or_insert_with(|| Newest {
            build,
            date: born(template),
            of_streams: BTreeMap::new(),
        });
        best.build = best.build.max(build);
        best.date = best.date.max(born(template));
        let of_stream = best.of_streams.entry(template.version.stream()).or_insert(&template.version);
        *of_stream = (*of_stream).max(&template.version);
    }
    let standing = |template: &&Template| matches!(template.state, TemplateState::Ready | TemplateState::Quarantined);
    templates
        .iter()
        .filter(standing)
        .filter_map(|template| verdict(template, newest.get(&kin(template)), limits(&template.group), today))
        .collect()
}

fn works(template: &Template) -> bool {
    template.state == TemplateState::Ready && template.said.unusable.is_empty()
}

/// When it was built, or first seen where its name does not tell.
fn born(template: &Template) -> BuildDate {
    if template.date == BuildDate::default() { template.found_at.date_naive() } else { template.date }
}

fn verdict(template: &Template, newest: Option<&Newest<'_>>, limits: AgeLimits, today: BuildDate) -> Option<Verdict> {
    let newer = newest.and_then(|newest| newest.of_streams.get(&template.version.stream()));
    let superseded = newer.filter(|newer| ***newer > template.version).map(|newer| {
        let stream = template.version.stream();
        format!("version {newer} of {stream} is there, which is newer and works")
    });
    let stays =
        newest.is_none_or(|newest| newest.build == (&template.version, template.date) || newest.date == born(template));
    let aged = aged(template, limits, today).map(|(action, why)| {
        if stays { (Action::Keep, format!("{why}; it stays, for nothing newer works")) } else { (action, why) }
    });
    let suggested = superseded.is_some();
    let (action, reason) = match (aged, superseded) {
        (None, None) => return None,
        (None | Some((Action::Keep, _)), Some(why)) => (Action::Suggest, why),
        (Some((action, why)), _) => (action, why),
    };
    Some(Verdict { template: template.id, action, suggested, reason })
}

/// What its age means.
fn aged(template: &Template, limits: AgeLimits, today: BuildDate) -> Option<(Action, String)> {
    let born = born(template);
    let days = (today - born).num_days();
    let beyond = |limit: Option<u32>| limit.filter(|limit| days > i64::from(*limit));
    let says = |limit, what, key| {
        format!("it is {days} days old, of {born}; group {} {what} those older than {limit} ({key})", template.group)
    };
    if let Some(limit) = beyond(limits.delete) {
        return Some((Action::Delete, says(limit, "deletes", "template_obsolete_days_delete")));
    }
    beyond(limits.disuse).map(|limit| (Action::Disuse, says(limit, "uses no more", "template_obsolete_days")))
}

#[cfg(test)]
mod tests;
