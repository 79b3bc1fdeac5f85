//! Catalogues: reading the services that say which templates may be used, and what of it cannot be used.
//!
//! What a source says is remembered, and what it means is written to the templates that are there; those that are not seen yet are looked for. What
//! else follows of it (warm appliances of a template that may not be used go, others are made) follows of the templates. Nothing is written where
//! nothing changed.

mod found;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use sprout_domain::{
    Catalogue, Error, GroupName, ProviderKey, Reason, Result, TemplateId, Timestamp,
    catalogue_sync::{self as rules, Delta, Entry, Listing, Look, Place, Sifted},
    event::{EventKind, NewEvent},
    job::{Job, JobRun},
    naming::{Reading, Unread},
    template::{Said, Template, TemplateState},
};

pub(crate) use self::found::found;
use crate::{
    App,
    ports::{Listings, Topic},
    queue,
    work::{Work, repeated},
};

/// The job that reads catalogues.
pub(crate) const JOB: &str = "catalogue-sync";
/// Whoever writes what is said of templates does so one at a time, and by what sources said last.
const TURN: &str = "catalogue";
/// A source that is not read by then is given up: its reader should have done so itself.
const LIMIT: Duration = Duration::from_secs(45);

/// What there is to know of catalogues.
#[derive(Debug, Clone)]
pub struct CatalogueStatus {
    /// The job that reads them, with its last run; none before a server led.
    pub job: Option<(Job, Option<JobRun>)>,
    /// The last looks at sources and providers that are configured, each with when it ended.
    pub looks: Vec<(Look, Option<Timestamp>)>,
}

/// What came of one source.
struct Applied {
    says: String,
    failed: bool,
    /// Providers that are to be looked at: something is listed there that was not seen yet.
    unseen: BTreeSet<ProviderKey>,
}

impl App {
    /// Reads all sources, and writes what changed. Returns what it did; an error, with the same, if one of them could not be read whole. `asked`:
    /// someone asked for it, so that also what looks like a mistake of the source is done.
    pub async fn sync_catalogues(&self, listings: &dyn Listings, asked: bool) -> Result<String> {
        let catalogue = self.catalogue();
        self.forget_places(&catalogue).await?;
        let sources: Vec<_> = catalogue.sources.iter().filter(|(_, source)| !source.groups.is_empty()).collect();
        if sources.is_empty() {
            return Ok("no group has a catalogue".to_owned());
        }
        let read = async |source| {
            let late = || Listing { failure: format!("not read within {} s", LIMIT.as_secs()), ..Listing::default() };
            tokio::time::timeout(LIMIT, listings.read(source)).await.unwrap_or_else(|_| late())
        };
        let read = join_all(sources.iter().map(|(_, source)| read(source))).await;
        let (mut says, mut failed) = (Vec::new(), false);
        for ((name, _), listing) in sources.iter().zip(&read) {
            let applied = repeated(|| self.apply(name, listing, asked)).await?;
            says.push(format!("{name}: {}", applied.says));
            failed |= applied.failed;
            // Not in the same transaction: one that ends such a look waits for its turn here. Were it lost, the look that is due next sees them.
            for provider in &applied.unseen {
                self.check_provider(provider).await?;
            }
        }
        let says = says.join("; ");
        if failed { Err(Error::new(Reason::CatalogueUnreadable, says)) } else { Ok(says) }
    }

    /// Writes what one source says.
    async fn apply(&self, name: &str, listing: &Listing, asked: bool) -> Result<Applied> {
        let mut work = self.work().await?;
        work.tx.take_turn(TURN).await?;
        let catalogue = work.catalogue.clone();
        let sifted = rules::sift(&catalogue, name, listing);
        let (ids, known): (Vec<_>, Vec<_>) = work.tx.catalogue_entries(name).await?.into_iter().unzip();
        let delta = rules::compare(&known, &sifted, listing.is_whole(), asked);
        let entries = entries_after(&known, &delta);
        let templates = work.tx.standing_templates().await?;
        let made_of = originals(&mut work, &templates).await?;
        let said = newly_said(&catalogue, name, &templates, &made_of, &entries);
        let used_otherwise = used_otherwise(&templates, &said);
        let look = look(name, listing, &sifted, &delta, &entries, used_otherwise);
        let unseen = unseen(&catalogue, &templates, &delta, work.tx.now().date_naive());
        let applied = Applied { says: says(&look, &sifted), failed: !look.failure.is_empty(), unseen };
        if !delta.written.is_empty() || !delta.removed.is_empty() {
            let removed: Vec<_> = delta.removed.iter().map(|at| ids[*at]).collect();
            work.tx.change_catalogue_entries(name, &delta.written, &removed).await?;
        }
        self.write_said(&mut work, &said, used_otherwise).await?;
        let noted = work.tx.note_look(&look).await?;
        if noted {
            tell(&mut work, name, &look);
        }
        if noted || !said.is_empty() {
            work.commit().await?;
        }
        Ok(applied)
    }

    /// Writes what is said of templates; where that has others used, lets everyone know who has to do with it.
    async fn write_said(&self, work: &mut Work, said: &[(TemplateId, Said)], used_otherwise: usize) -> Result<()> {
        if used_otherwise > 0 {
            // Whoever places appliances has done so, or sees this.
            work.tx.take_turn(queue::TURN).await?;
        }
        work.tx.set_said(said).await?;
        if used_otherwise == 0 {
            return Ok(());
        }
        self.mark_in_turn(work).await?;
        for topic in [Topic::Warm, Topic::Queue, Topic::Tries] {
            work.wake(topic);
        }
        Ok(())
    }

    /// Forgets what is not configured any more.
    async fn forget_places(&self, catalogue: &Catalogue) -> Result<()> {
        let sources = catalogue.sources.iter().filter(|(_, source)| !source.groups.is_empty());
        let sources = sources.map(|(name, _)| Place::Source(name.clone()));
        let places: BTreeSet<_> = sources.chain(catalogue.providers.keys().cloned().map(Place::Provider)).collect();
        let looks = self.ports.store.read().await?.looks().await?;
        if looks.iter().all(|look| places.contains(&look.place)) {
            return Ok(());
        }
        let places: Vec<_> = places.into_iter().collect();
        repeated(|| async {
            let mut work = self.work().await?;
            work.tx.take_turn(TURN).await?;
            work.tx.forget_looks(&places).await?;
            work.commit().await
        })
        .await
    }

    /// What the last looks found.
    pub async fn catalogue_status(&self) -> Result<CatalogueStatus> {
        let catalogue = self.catalogue();
        let mut tx = self.ports.store.read().await?;
        let job = tx.jobs().await?.into_iter().find(|job| job.name == JOB);
        let run = tx.last_job_runs().await?.into_iter().find(|run| run.job == JOB);
        let checked = tx.providers().await?.into_iter().map(|provider| (provider.key, provider.checked_at));
        let checked: BTreeMap<_, _> = checked.collect();
        let ended = run.as_ref().and_then(|run| run.finished_at);
        let seen = |look: Look| {
            let at = match &look.place {
                Place::Source(name) => catalogue.sources.contains_key(name).then_some(ended),
                Place::Provider(key) => {
                    catalogue.providers.contains_key(key).then(|| checked.get(key).copied().flatten())
                }
            };
            at.map(|at| (look, at))
        };
        let looks = tx.looks().await?.into_iter().filter_map(seen).collect();
        Ok(CatalogueStatus { job: job.map(|job| (job, run)), looks })
    }

    /// What the rules make of names.
    pub fn read_names(&self, names: &[String]) -> Vec<Result<Reading, Unread>> {
        let catalogue = self.catalogue();
        names.iter().map(|name| catalogue.read_name(name)).collect()
    }

    /// Has the job run that reads catalogues.
    pub async fn ask_for_sync(&self) -> Result<(Job, Option<JobRun>)> {
        self.run_job(JOB).await
    }
}

/// What is remembered after a change.
fn entries_after<'a>(known: &'a [Entry], delta: &'a Delta) -> BTreeMap<(&'a ProviderKey, &'a str), &'a Entry> {
    let removed: BTreeSet<_> = delta.removed.iter().copied().collect();
    let stay = known.iter().enumerate().filter(|(at, _)| !removed.contains(at)).map(|(_, entry)| entry);
    stay.chain(&delta.written).map(|entry| ((&entry.provider, &*entry.name), entry)).collect()
}

/// Waits until nobody else writes what is said of templates, until the end of this; before anything is locked.
pub(crate) async fn take_turn(work: &mut Work) -> Result<()> {
    work.tx.take_turn(TURN).await
}

/// Names of the templates that others were made of, also of those that are gone.
pub(crate) async fn originals<'a>(
    work: &mut Work,
    templates: impl IntoIterator<Item = &'a Template>,
) -> Result<BTreeMap<TemplateId, String>> {
    let ids: BTreeSet<_> = templates.into_iter().filter_map(|template| template.parent_id).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = work.tx.templates_by_id(&ids.into_iter().collect::<Vec<_>>()).await?;
    Ok(found.into_iter().map(|template| (template.id, template.name)).collect())
}

/// What is said of a template of this name, by rules and the group's source, of whose entries one is looked up; none where its name says nothing.
pub(crate) fn said_of<'a>(
    catalogue: &Catalogue,
    group: &GroupName,
    provider: &ProviderKey,
    name: &str,
    entry: impl Fn(&str, &str) -> Option<&'a Entry>,
) -> Option<Said> {
    let reading = catalogue.read_name(name).ok().filter(|reading| !reading.ignore)?;
    let source = catalogue.source_of(group, provider);
    Some(rules::said(&reading, source, source.and_then(|source| entry(source, name))))
}

/// The templates of which the source now says something else.
fn newly_said(
    catalogue: &Catalogue,
    source: &str,
    templates: &[Template],
    made_of: &BTreeMap<TemplateId, String>,
    entries: &BTreeMap<(&ProviderKey, &str), &Entry>,
) -> Vec<(TemplateId, Said)> {
    let concerned = templates.iter().filter(|template| {
        template.state != TemplateState::Retiring
            && catalogue.source_of(&template.group, &template.provider) == Some(source)
    });
    let changed = concerned.filter_map(|template| {
        // What Sprout itself made has a name that says nothing of this: what is said of the template that it was made of counts.
        let name = template.parent_id.and_then(|id| made_of.get(&id)).unwrap_or(&template.name);
        let entry = |_: &str, name: &str| entries.get(&(&template.provider, name)).copied();
        let said = said_of(catalogue, &template.group, &template.provider, name, entry)?;
        (said != template.said).then_some((template.id, said))
    });
    changed.collect()
}

/// How many of them may be used from now on, or may not, or not for the same reason.
fn used_otherwise(templates: &[Template], said: &[(TemplateId, Said)]) -> usize {
    let before: BTreeMap<_, _> = templates.iter().map(|template| (template.id, &template.said.unusable)).collect();
    said.iter().filter(|(id, said)| before.get(id).is_none_or(|before| **before != said.unusable)).count()
}

/// Providers where something new is listed that may be used and was not seen there yet.
fn unseen(
    catalogue: &Catalogue,
    templates: &[Template],
    delta: &Delta,
    today: chrono::NaiveDate,
) -> BTreeSet<ProviderKey> {
    let seen: BTreeSet<_> = templates.iter().map(|template| (&template.provider, &*template.name)).collect();
    let too_old = |entry: &Entry| {
        let days = catalogue.groups.get(&entry.group).and_then(|group| group.template_obsolete_days);
        let built =
            catalogue.read_name(&entry.name).map(|reading| entry.date.unwrap_or_else(|| reading.build(today).1));
        days.zip(built.ok()).is_some_and(|(days, built)| (today - built).num_days() > i64::from(days))
    };
    let enabled = |entry: &Entry| catalogue.providers.get(&entry.provider).is_some_and(|provider| !provider.disabled);
    let new = delta.written.iter().filter(|entry| {
        entry.usable && enabled(entry) && !seen.contains(&(&entry.provider, &*entry.name)) && !too_old(entry)
    });
    new.map(|entry| entry.provider.clone()).collect()
}

/// What was found at a source.
fn look(
    name: &str,
    listing: &Listing,
    sifted: &Sifted,
    delta: &Delta,
    entries: &BTreeMap<(&ProviderKey, &str), &Entry>,
    templates: usize,
) -> Look {
    let mut look = Look::at(Place::Source(name.to_owned()), sifted.problems.clone());
    look.failure.clone_from(&listing.failure);
    if listing.is_whole() && delta.kept > 0 {
        look.failure = format!(
            "{} of {} templates are listed no more, which looks like a mistake, so they stay; if it is none, run \
             `sproutctl catalogue sync`",
            delta.kept,
            entries.len()
        );
    }
    look.listed = entries.len() as u64;
    look.usable = entries.values().filter(|entry| entry.usable).count() as u64;
    let usable = delta.written.iter().filter(|entry| entry.usable).count();
    let changes = [
        (usable, "listed anew as usable"),
        (delta.written.len() - usable, "listed anew as not usable"),
        (delta.removed.len(), "listed no more"),
        (templates, "of those that are there used otherwise"),
    ];
    let changes: Vec<_> =
        changes.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    look.change = changes.join(", ");
    look
}

fn says(look: &Look, sifted: &Sifted) -> String {
    let change = if look.change.is_empty() { "nothing changed" } else { &look.change };
    let wrong = match look.problem_count {
        0 => String::new(),
        count => format!(", {count} not understood"),
    };
    let failure = if look.failure.is_empty() { String::new() } else { format!("; {}", look.failure) };
    format!("{change} ({} listed, {} of other groups or providers{wrong}){failure}", look.listed, sifted.others)
}

fn tell(work: &mut Work, name: &str, look: &Look) {
    if !look.failure.is_empty() {
        tracing::warn!(
            catalogue = name,
            failure = look.failure,
            "a catalogue was not read whole; what was read is used"
        );
    }
    if !look.change.is_empty() {
        let message = format!("catalogue {name}: {}", look.change);
        work.emit(NewEvent::new(EventKind::TemplateState, message));
    }
}
