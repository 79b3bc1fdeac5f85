//! Rules for names of templates: what product, stream, version, date and type a name tells.

use std::collections::BTreeSet;

use ::regex::escape;
use serde::Deserialize;
use sprout_conf::{Located, did_you_mean};

use crate::{Config, GroupConfig, Mistakes, ServerConfig, group::regex};

/// One rule. Texts have named parts of the pattern in braces, and are by default the part of that name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameRuleConfig {
    /// Its name, for messages.
    pub name: Located<String>,
    /// Regular expression for whole names.
    pub pattern: Located<String>,
    /// Text for the product.
    pub product: Option<String>,
    /// Text for the stream: the group that such templates belong to.
    pub stream: Option<String>,
    /// Text for the version.
    pub version: Option<String>,
    /// Text for the date: `YYYYMMDD`, `YYYYMMDDhhmm`, `YYMMDD` or `MMDD`.
    pub date: Option<String>,
    /// Text for the type.
    #[serde(rename = "type")]
    pub build_type: Option<String>,
    /// Builds of these types are not used.
    #[serde(default)]
    pub unusable_types: Vec<String>,
    /// Such names are known, and are none of templates to use.
    #[serde(default)]
    pub ignore: bool,
    /// It is asked only where no other rule matches.
    #[serde(default)]
    pub fallback: bool,
}

/// What a name can tell.
const TOLD: [&str; 5] = ["product", "stream", "version", "date", "type"];

/// The streams that the rules are for that are known without configuration. (A test where both are known compares them.)
pub const SHIPPED_STREAMS: [&str; 3] = ["downstream-5{minor}z", "upstream-{release}", "upstream"];

/// Groups whose templates are told by their names, which no rule can say to be theirs.
pub(crate) fn unserved(server: &ServerConfig) -> Vec<String> {
    let streams: Vec<Option<&str>> = match &server.template_names {
        None => SHIPPED_STREAMS.map(Some).to_vec(),
        // Without a text, the stream is a part of the name, and may be any.
        Some(rules) => rules.iter().filter(|rule| !rule.ignore).map(|rule| rule.stream.as_deref()).collect(),
    };
    let by_name = |group: &GroupConfig| group.template_pattern.is_none() && group.templates_url.is_none();
    let has_rule = |name: &str| streams.iter().any(|stream| stream.is_none_or(|stream| may_be(stream, name)));
    let groups = server.groups.iter().filter(|(name, group)| by_name(group) && !has_rule(name));
    groups.map(|(name, _)| name.clone()).collect()
}

/// Whether a text with parts in braces may come out as this name.
fn may_be(text: &str, name: &str) -> bool {
    let mut pieces = text.split('{');
    let mut pattern = pieces.next().map(escape).unwrap_or_default();
    for piece in pieces {
        let Some((_, rest)) = piece.split_once('}') else { return true }; // told elsewhere
        pattern.push_str(".*");
        pattern.push_str(&escape(rest));
    }
    regex(&pattern).is_ok_and(|regex| regex.is_match(name))
}

/// The domain has the same rules; these are for who checks a file without a server.
pub(crate) fn check(rules: &[NameRuleConfig], config: &Config, mistakes: &mut Mistakes) {
    let mut names = BTreeSet::new();
    for (n, rule) in rules.iter().enumerate() {
        let path = format!("template_names[{n}]");
        if rule.name.value.is_empty() || !names.insert(&rule.name.value) {
            let message = format!("another rule is named `{}`; give each a name of its own", rule.name.value);
            let message = if rule.name.value.is_empty() { "give it a name, for messages".to_owned() } else { message };
            config.mistake_at(mistakes, &rule.name, &format!("{path}.name"), message);
        }
        match regex(&rule.pattern.value) {
            Err(message) => config.mistake_at(mistakes, &rule.pattern, &format!("{path}.pattern"), message),
            Ok(regex) => {
                let parts: BTreeSet<_> = regex.capture_names().flatten().collect();
                rule.check_parts(&parts, &path, config, mistakes);
            }
        }
    }
}

impl NameRuleConfig {
    fn texts(&self) -> [(&'static str, Option<&str>); 5] {
        let texts = [&self.product, &self.stream, &self.version, &self.date, &self.build_type];
        std::array::from_fn(|n| (TOLD[n], texts[n].as_deref()))
    }

    /// Each part is used, and those that are used are there.
    fn check_parts(&self, parts: &BTreeSet<&str>, path: &str, config: &Config, mistakes: &mut Mistakes) {
        let mut used = BTreeSet::from(TOLD);
        for (key, text) in self.texts() {
            let Some(text) = text else { continue };
            for piece in text.split('{').skip(1) {
                let path = format!("{path}.{key}");
                let Some((part, _)) = piece.split_once('}') else {
                    config.mistake(mistakes, &path, "a `{` that nothing closes; write {PART}");
                    continue;
                };
                used.insert(part);
                if !parts.contains(part) {
                    let known: Vec<_> = parts.iter().copied().collect();
                    let guess = did_you_mean(part, &known);
                    let message = format!("the pattern has no part `(?<{part}>…)`{guess}");
                    config.mistake(mistakes, &path, message);
                }
            }
        }
        for part in parts.iter().filter(|part| !used.contains(**part)) {
            let guess = did_you_mean(part, &TOLD);
            let message =
                format!("nothing uses the part `{part}`{guess}; name it in a text, or use a group without a name");
            config.mistake_at(mistakes, &self.pattern, &format!("{path}.pattern"), message);
        }
        let told =
            |key: &str| parts.contains(key) || self.texts().iter().any(|(name, text)| *name == key && text.is_some());
        if !told("stream") {
            let message = "it says no stream: give it a part `(?<stream>…)`, or a `stream:`";
            config.mistake_at(mistakes, &self.pattern, path, message);
        }
        if !self.ignore && !told("version") && !told("date") {
            let message =
                "it says neither version nor date: give it a part `(?<version>…)` or `(?<date>…)`, or `ignore: true`";
            config.mistake_at(mistakes, &self.pattern, path, message);
        }
    }
}
