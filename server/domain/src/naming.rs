//! What names of templates say: rules with named parts, as data.
//!
//! A rule is a regular expression for whole names; what a name says of product, stream, version, date and type are the parts of those names, or
//! texts with named parts in braces (`downstream-5{minor}z`). A name must match one rule: where none does, or two do, nobody guesses.

mod day;
mod shipped;
mod text;

use std::collections::BTreeSet;

use regex::Regex;

pub use self::{day::Day, text::Text};
use crate::{template::BuildDate, version::Version};

/// How a rule is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSpec {
    /// Its name, for messages.
    pub name: String,
    /// Regular expression for whole names.
    pub pattern: String,
    /// Text for the product; none: the part of that name, if there is one. So are the following.
    pub product: Option<String>,
    /// Text for the stream: the group that templates of such names belong to.
    pub stream: Option<String>,
    /// Text for the version.
    pub version: Option<String>,
    /// Text for the date: `YYYYMMDD`, `YYYYMMDDhhmm`, `YYMMDD` or `MMDD`.
    pub date: Option<String>,
    /// Text for the type.
    pub build_type: Option<String>,
    /// Builds of these types are not used.
    pub unusable_types: BTreeSet<String>,
    /// Such names are known, and are none of templates to use.
    pub ignore: bool,
    /// It is asked only where no other rule matches.
    pub fallback: bool,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The pattern is not a regular expression.
    #[error("not a regular expression: {0}")]
    Syntax(String),
    /// A text cannot be made.
    #[error("{key}: {message}")]
    Text {
        /// Which one.
        key: &'static str,
        /// What is wrong.
        message: String,
    },
    /// It does not say to which group a template belongs.
    #[error("it says no stream: give it a part `(?<stream>…)`, or a `stream:`")]
    NoStream,
    /// It says neither version nor date.
    #[error("it says neither version nor date: give it a part `(?<version>…)` or `(?<date>…)`, or `ignore: true`")]
    NoBuild,
}

/// One rule, ready to be used.
#[derive(Debug, Clone)]
struct Rule {
    spec: RuleSpec,
    regex: Regex,
    product: Option<Text>,
    stream: Option<Text>,
    version: Option<Text>,
    date: Option<Text>,
    build_type: Option<Text>,
}

/// All rules. Without configuration, those for ManageIQ and CFME, made when they are first needed.
#[derive(Debug, Clone, Default)]
pub struct Rules(Option<Vec<Rule>>);

/// What a name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The rule that read it.
    pub rule: String,
    /// What was built.
    pub product: Option<String>,
    /// The group it belongs to.
    pub stream: String,
    /// Its version; none: builds of this kind have none.
    pub version: Option<Version>,
    /// When it was built; none: the name does not tell.
    pub day: Option<Day>,
    /// Which of several builds of the same.
    pub build_type: Option<String>,
    /// Builds of this type are not used.
    pub unusable: bool,
    /// It is the name of no template to use.
    pub ignore: bool,
}

/// Why a name says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// No rule matches; a rule that would, but for its date, is named with what is wrong.
    NoRule(Option<String>),
    /// These rules match, and which is meant is not known.
    TwoRules(Vec<String>),
}

impl Rules {
    /// Makes rules; the error says which is wrong, by its place in the list.
    pub fn new(specs: impl IntoIterator<Item = RuleSpec>) -> Result<Self, (usize, RuleError)> {
        specs
            .into_iter()
            .enumerate()
            .map(|(n, spec)| Rule::new(spec).map_err(|error| (n, error)))
            .collect::<Result<_, _>>()
            .map(|rules| Self(Some(rules)))
    }

    fn all(&self) -> &[Rule] {
        self.0.as_deref().unwrap_or_else(|| &shipped::RULES)
    }

    /// How they are written.
    pub fn specs(&self) -> impl Iterator<Item = &RuleSpec> {
        self.all().iter().map(|rule| &rule.spec)
    }

    /// What a name says.
    pub fn read(&self, name: &str) -> Result<Reading, Unread> {
        let mut unread = None;
        for fallback in [false, true] {
            let tried =
                self.all().iter().filter(|rule| rule.spec.fallback == fallback).filter_map(|rule| rule.read(name));
            let (read, wrong): (Vec<_>, Vec<_>) = tried.partition(Result::is_ok);
            let mut read: Vec<Reading> = read.into_iter().flatten().collect();
            match read.len() {
                0 => unread = unread.or_else(|| wrong.into_iter().find_map(Result::err)),
                1 => return Ok(read.remove(0)),
                _ => return Err(Unread::TwoRules(read.into_iter().map(|reading| reading.rule).collect())),
            }
        }
        Err(Unread::NoRule(unread))
    }

    /// Whether a template whose name some rule reads can belong to a group of this name.
    pub fn can_give(&self, stream: &str) -> bool {
        let used = self.all().iter().filter(|rule| !rule.spec.ignore);
        used.filter_map(|rule| rule.stream.as_ref()).any(|text| text.can_be(stream))
    }
}

impl Rule {
    fn new(spec: RuleSpec) -> Result<Self, RuleError> {
        let regex = Regex::new(&format!("^(?:{})$", spec.pattern)).map_err(|error| {
            // A regular expression's error is drawn over several lines; the last one says it.
            let error = error.to_string();
            RuleError::Syntax(error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
        })?;
        let parts: BTreeSet<&str> = regex.capture_names().flatten().collect();
        let text = |key, written: &Option<String>| match written {
            Some(written) => Text::new(written, &parts).map(Some).map_err(|message| RuleError::Text { key, message }),
            None => Ok(parts.contains(key).then(|| Text::part(key))),
        };
        let (product, stream) = (text("product", &spec.product)?, text("stream", &spec.stream)?);
        let (version, date) = (text("version", &spec.version)?, text("date", &spec.date)?);
        let build_type = text("type", &spec.build_type)?;
        if stream.is_none() {
            return Err(RuleError::NoStream);
        }
        if version.is_none() && date.is_none() && !spec.ignore {
            return Err(RuleError::NoBuild);
        }
        Ok(Self { spec, regex, product, stream, version, date, build_type })
    }

    /// What a name says; none: it does not match. The error says that it would, but for its date.
    fn read(&self, name: &str) -> Option<Result<Reading, String>> {
        let parts = self.regex.captures(name)?;
        // A part that a name leaves out is not said, rather than empty.
        let said = |text: &Option<Text>| text.as_ref().map(|text| text.fill(&parts)).filter(|said| !said.is_empty());
        let rule = &self.spec.name;
        let day = match said(&self.date).map(|date| Day::read(&date).ok_or(date)).transpose() {
            Ok(day) => day,
            Err(date) => return Some(Err(format!("it looks like those of rule {rule}, but {date} is not a date"))),
        };
        let version = said(&self.version).map(Version::new);
        if !self.spec.ignore && version.is_none() && day.is_none() {
            return Some(Err(format!("it looks like those of rule {rule}, but has neither version nor date")));
        }
        let build_type = said(&self.build_type);
        Some(Ok(Reading {
            rule: rule.clone(),
            product: said(&self.product),
            stream: said(&self.stream).unwrap_or_default(),
            version,
            day,
            unusable: build_type.as_ref().is_some_and(|build_type| self.spec.unusable_types.contains(build_type)),
            build_type,
            ignore: self.spec.ignore,
        }))
    }
}

impl Reading {
    /// Its version and date, where the name was first seen on this day: a date without a year is the last such day before. Without a date it counts as
    /// the oldest; without a version it has a made-up one of its date.
    pub fn build(&self, seen: BuildDate) -> (Version, BuildDate) {
        let date = self.day.map(|day| day.on_or_before(seen));
        let version = self.version.clone().unwrap_or_else(|| Version::made_up(date.unwrap_or_default()));
        (version, date.unwrap_or_default())
    }
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRule(None) => f.write_str("no rule matches it"),
            Self::NoRule(Some(nearly)) => write!(f, "no rule matches it: {nearly}"),
            Self::TwoRules(rules) => write!(f, "it matches several rules: {}", rules.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
