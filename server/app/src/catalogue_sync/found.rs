//! What templates that were found on a provider are.

use std::collections::BTreeMap;

use sprout_domain::{
    GroupName, ProviderKey, Result,
    catalogue_sync::{self as rules, Entry, Look, Place, Problem},
    naming::{Day, Reading},
    template::{BuildDate, Template},
};

use super::{originals, said_of};
use crate::{
    ports::{FoundTemplate, TemplateFilter},
    provider::plain,
    work::Work,
};

/// The templates that belong to a group, newest first and groups in turn; and what is to be remembered of the look, with the names that say nothing.
/// Whoever asks has taken the turn.
pub(crate) async fn found(
    work: &mut Work,
    provider: &ProviderKey,
    names: &[&String],
    prepared: &BTreeMap<String, Template>,
) -> Result<(Vec<FoundTemplate>, Look)> {
    let catalogue = work.catalogue.clone();
    let mut problems = Vec::new();
    let mut read: Vec<(&str, Reading)> = Vec::new();
    let mut made = Vec::new();
    for name in names {
        // Nobody else gives such names.
        if let Some(template) = prepared.get(plain(name)) {
            made.push(template);
            continue;
        }
        match catalogue.read_name(name) {
            Err(unread) => problems.push(Problem::unread(&provider.0, name, &unread)),
            Ok(reading) if reading.ignore || !catalogue.groups.contains_key(&GroupName(reading.stream.clone())) => {}
            Ok(reading) => read.push((name, reading)),
        }
    }
    let entries = entries(work, provider).await?;
    let seen = seen(work, provider, &read).await?;
    let today = work.tx.now().date_naive();
    let found = read.into_iter().map(|(name, reading)| {
        let group = GroupName(reading.stream.clone());
        let source = catalogue.source_of(&group, provider);
        let entry = source.and_then(|source| entries.get(source, name));
        let said = rules::said(&reading, source, entry);
        let (version, date) = reading.build(seen.get(name).copied().unwrap_or(today));
        let date = entry.and_then(|entry| entry.date).unwrap_or(date);
        FoundTemplate { name: name.to_owned(), group, version, date, said }
    });
    let made_of = originals(work, made.iter().copied()).await?;
    let known = made.into_iter().map(|template| {
        // What is said of the template that it was made of, there or not, is said of it.
        let of = template.parent_id.and_then(|id| made_of.get(&id));
        let says = |name: &String| {
            said_of(&catalogue, &template.group, provider, name, |source, name| entries.get(source, name))
        };
        let said = of.and_then(says).unwrap_or_else(|| template.said.clone());
        let Template { name, group, version, date, .. } = template.clone();
        FoundTemplate { name, group, version, date, said }
    });
    let found =
        rules::in_turn(found.chain(known).collect(), |found| (found.group.clone(), found.date, found.version.clone()));
    let mut look = Look::at(Place::Provider(provider.clone()), problems);
    look.listed = found.len() as u64;
    look.usable = found.iter().filter(|found| found.said.unusable.is_empty()).count() as u64;
    Ok((found, look))
}

/// What sources say of the provider's templates, by source and name.
async fn entries(work: &mut Work, provider: &ProviderKey) -> Result<Entries> {
    let catalogue = &work.catalogue;
    if catalogue.sources.values().all(|source| source.groups.is_empty()) || catalogue.without_source.contains(provider)
    {
        return Ok(Entries::default());
    }
    let mut entries = Entries::default();
    for (source, entry) in work.tx.catalogue_entries_of(provider).await? {
        entries.0.entry(source).or_default().insert(entry.name.clone(), entry);
    }
    Ok(entries)
}

#[derive(Default)]
struct Entries(BTreeMap<String, BTreeMap<String, Entry>>);

impl Entries {
    fn get(&self, source: &str, name: &str) -> Option<&Entry> {
        self.0.get(source)?.get(name)
    }
}

/// When those were first seen whose names do not tell the year.
async fn seen(
    work: &mut Work,
    provider: &ProviderKey,
    read: &[(&str, Reading)],
) -> Result<BTreeMap<String, BuildDate>> {
    if !read.iter().any(|(_, reading)| matches!(reading.day, Some(Day::Yearless { .. }))) {
        return Ok(BTreeMap::new());
    }
    let filter = TemplateFilter { provider: Some(provider.clone()), with_gone: true, ..TemplateFilter::default() };
    let known = work.tx.templates(&filter).await?;
    Ok(known.into_iter().map(|template| (template.name, template.found_at.date_naive())).collect())
}
