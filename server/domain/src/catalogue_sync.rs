//! What is made of what a source (a trackerbot) lists: which templates may be used, and what of it makes no sense.
//!
//! A source says of templates whether they may be used; that they are there is seen on their provider. What it lists no more may be used no more,
//! but only if all of what it lists was read, and not where most would go at once: then someone has to ask for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    Catalogue, GroupName, ProviderKey, Timestamp,
    naming::{Day, Reading, Unread},
    template::{BuildDate, Said},
    version::Version,
};

/// The group that a source names where it knows none.
const UNKNOWN: &str = "unknown";
/// Fewer than so many that are listed no more raise no suspicion.
const FEW: usize = 10;

/// What a source says of one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The provider it is on.
    pub provider: String,
    /// Its name there.
    pub name: String,
    /// The group it belongs to.
    pub group: String,
    /// When it was built, if the source says so.
    pub date: Option<BuildDate>,
    /// It may be used.
    pub usable: bool,
    /// It was released to everyone.
    pub ga_released: bool,
    /// Whatever else is said of it: a JSON text; empty: nothing.
    pub custom_data: String,
}

/// What came of reading a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// What was right.
    pub listed: Vec<Listed>,
    /// What was wrong with single parts of it.
    pub problems: Vec<Problem>,
    /// Why it was not read to its end; empty: it was.
    pub failure: String,
}

/// What is wrong with something that a source lists, or with a template that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of thing is wrong.
    pub kind: ProblemKind,
    /// The provider, where there is one.
    pub provider: String,
    /// The name of the template, or where in the listing it is.
    pub subject: String,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// No rule reads the name.
    NoRule,
    /// Several rules read the name.
    TwoRules,
    /// The source says another group than the name does.
    OtherGroup,
    /// The source says two things of one template.
    Contradiction,
    /// The source says what cannot be understood.
    Malformed,
}

/// What is remembered of what a source says of one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The provider it is on.
    pub provider: ProviderKey,
    /// Its name there.
    pub name: String,
    /// Its group.
    pub group: GroupName,
    /// It may be used.
    pub usable: bool,
    /// When it was built, where its name does not tell the year.
    pub date: Option<BuildDate>,
    /// It was released to everyone.
    pub ga_released: bool,
    /// Whatever else is said of it: a JSON text; empty: nothing.
    pub custom_data: String,
}

/// What of a listing concerns us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sifted {
    /// What is to be remembered: newest first, groups in turn.
    pub entries: Vec<Entry>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// So many were of groups or providers that are not ours.
    pub others: usize,
}

/// What changes in what is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// New, or other than before.
    pub written: Vec<Entry>,
    /// Listed no more: places in what was known.
    pub removed: Vec<usize>,
    /// Listed no more, and remembered all the same: so many.
    pub kept: usize,
}

/// Where was looked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At a source, by its name.
    Source(String),
    /// On a provider itself.
    Provider(ProviderKey),
}

/// What the last look at a place found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Where.
    pub place: Place,
    /// Why not all was read; empty: it was.
    pub failure: String,
    /// Since when not all can be read.
    pub failed_since: Option<Timestamp>,
    /// Templates there that concern us.
    pub listed: u64,
    /// Those of them that may be used.
    pub usable: u64,
    /// When something there changed last.
    pub changed_at: Option<Timestamp>,
    /// What changed then.
    pub change: String,
    /// So many things are wrong.
    pub problem_count: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
}

impl Look {
    /// Things wrong that are remembered of one look.
    pub const PROBLEMS: usize = 200;

    /// A look at a place, with what is wrong there.
    pub fn at(place: Place, mut problems: Vec<Problem>) -> Self {
        let problem_count = problems.len() as u64;
        problems.truncate(Self::PROBLEMS);
        Self {
            place,
            failure: String::new(),
            failed_since: None,
            listed: 0,
            usable: 0,
            changed_at: None,
            change: String::new(),
            problem_count,
            problems,
        }
    }
}

impl Listing {
    /// All of it was read and understood: what is not in it is not listed.
    pub fn is_whole(&self) -> bool {
        self.failure.is_empty() && self.problems.is_empty()
    }
}

impl Problem {
    /// A name that says nothing.
    pub fn unread(provider: &str, name: &str, unread: &Unread) -> Self {
        let kind = match unread {
            Unread::NoRule(_) => ProblemKind::NoRule,
            Unread::TwoRules(_) => ProblemKind::TwoRules,
        };
        Self { kind, provider: provider.to_owned(), subject: name.to_owned(), message: unread.to_string() }
    }
}

/// Sorts out of a listing of this source what concerns us.
pub fn sift(catalogue: &Catalogue, source: &str, listing: &Listing) -> Sifted {
    let mut sifted = Sifted { problems: listing.problems.clone(), ..Sifted::default() };
    let Some(groups) = catalogue.sources.get(source).map(|source| &source.groups) else { return sifted };
    let mut said: BTreeMap<(&str, &str), &Listed> = BTreeMap::new();
    let mut contradicted = BTreeSet::new();
    let mut found = Vec::new();
    for listed in &listing.listed {
        let Listed { provider, name, group, .. } = listed;
        let key = ProviderKey(provider.clone());
        let ours = catalogue.providers.contains_key(&key) && !catalogue.without_source.contains(&key);
        if group == UNKNOWN || !groups.contains(&GroupName(group.clone())) || !ours {
            sifted.others += 1;
            continue;
        }
        match said.insert((provider, name), listed) {
            None => {}
            // A page that moved while it was read shows the same again.
            Some(before) if before == listed => continue,
            Some(_) => {
                contradicted.insert((provider, name));
                continue;
            }
        }
        match catalogue.read_name(name) {
            Err(unread) => sifted.problems.push(Problem::unread(provider, name, &unread)),
            Ok(reading) if reading.stream != *group => {
                let message = format!(
                    "it is listed as one of {group}, and rule {} reads {} from its name",
                    reading.rule, reading.stream
                );
                let (provider, subject) = (provider.clone(), name.clone());
                sifted.problems.push(Problem { kind: ProblemKind::OtherGroup, provider, subject, message });
            }
            // Sprout's own: whoever made it knows what it is.
            Ok(reading) if reading.ignore => sifted.others += 1,
            Ok(reading) => found.push((listed, reading)),
        }
    }
    for (provider, name) in &contradicted {
        let message = "two different things are said of it, so it stays as it was".to_owned();
        let (provider, subject) = ((*provider).clone(), (*name).clone());
        sifted.problems.push(Problem { kind: ProblemKind::Contradiction, provider, subject, message });
    }
    found.retain(|(listed, _)| !contradicted.contains(&(&listed.provider, &listed.name)));
    let found = in_turn(found, |(listed, reading)| {
        let (version, date) = reading.build(listed.date.unwrap_or_default());
        (GroupName(listed.group.clone()), listed.date.unwrap_or(date), version)
    });
    sifted.entries = found.into_iter().map(|(listed, reading)| entry(listed, &reading)).collect();
    sifted
}

fn entry(listed: &Listed, reading: &Reading) -> Entry {
    let needed = matches!(reading.day, Some(Day::Yearless { .. }));
    Entry {
        provider: ProviderKey(listed.provider.clone()),
        name: listed.name.clone(),
        group: GroupName(listed.group.clone()),
        usable: listed.usable,
        ga_released: listed.ga_released,
        custom_data: listed.custom_data.clone(),
        // What contradicts the name is no help.
        date: listed.date.filter(|date| needed && reading.day.is_some_and(|day| day.on_or_before(*date) == *date)),
    }
}

/// The newest first, one of each group in turn.
pub fn in_turn<T>(items: Vec<T>, of: impl Fn(&T) -> (GroupName, BuildDate, Version)) -> Vec<T> {
    let mut groups: BTreeMap<GroupName, Vec<(BuildDate, Version, T)>> = BTreeMap::new();
    for item in items {
        let (group, date, version) = of(&item);
        groups.entry(group).or_default().push((date, version, item));
    }
    let mut waiting: VecDeque<_> = groups
        .into_values()
        .map(|mut group| {
            group.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
            group.into_iter()
        })
        .collect();
    let mut ordered = Vec::new();
    while let Some(mut group) = waiting.pop_front() {
        if let Some((_, _, item)) = group.next() {
            ordered.push(item);
            waiting.push_back(group);
        }
    }
    ordered
}

/// What changes, where this was known. `whole`: what is not there is not listed. `asked`: someone asked for it, and takes the responsibility.
pub fn compare(known: &[Entry], sifted: &Sifted, whole: bool, asked: bool) -> Delta {
    let by_name: BTreeMap<_, _> = known.iter().map(|entry| ((&entry.provider, &entry.name), entry)).collect();
    let mentioned: BTreeSet<_> = sifted
        .entries
        .iter()
        .map(|entry| (&*entry.provider.0, &*entry.name))
        .chain(
            sifted
                .problems
                .iter()
                .filter(|problem| problem.kind == ProblemKind::Contradiction)
                .map(|problem| (&*problem.provider, &*problem.subject)),
        )
        .collect();
    let changed = |entry: &&Entry| by_name.get(&(&entry.provider, &entry.name)) != Some(entry);
    let written = sifted.entries.iter().filter(changed).cloned().collect();
    let absent = |entry: &Entry| !mentioned.contains(&(&*entry.provider.0, &*entry.name));
    let absent: Vec<_> = known.iter().enumerate().filter(|(_, entry)| absent(entry)).map(|(at, _)| at).collect();
    let suspicious = absent.len() >= FEW && absent.len() * 2 > known.len();
    if whole && (asked || !suspicious) {
        return Delta { written, removed: absent, kept: 0 };
    }
    Delta { written, removed: Vec::new(), kept: absent.len() }
}

/// What its name and its source say of a template that is there.
pub fn said(reading: &Reading, source: Option<&str>, entry: Option<&Entry>) -> Said {
    let known = entry.filter(|_| source.is_some());
    Said {
        unusable: unusable(reading, source, entry),
        ga_released: known.is_some_and(|entry| entry.ga_released),
        custom_data: known.map(|entry| entry.custom_data.clone()).unwrap_or_default(),
    }
}

/// Why it may not be used; empty: it may.
fn unusable(reading: &Reading, source: Option<&str>, entry: Option<&Entry>) -> String {
    if reading.unusable {
        let build_type = reading.build_type.as_deref().unwrap_or_default();
        return format!("builds of type {build_type} are not used, says rule {}", reading.rule);
    }
    match (source, entry) {
        (Some(source), None) => format!("catalogue {source} does not list it"),
        (Some(source), Some(entry)) if !entry.usable => format!("catalogue {source} says that it is not usable"),
        (None, _) | (Some(_), Some(_)) => String::new(),
    }
}

#[cfg(test)]
mod tests;
