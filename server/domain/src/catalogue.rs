//! What the configuration says exists: groups and providers. One immutable value, replaced whole on reload.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    Error, GroupName, ProviderKey, Reason, Result, Secret, Visible,
    group::Group,
    naming::{self, Day, Reading, Unread},
    provider::ProviderSpec,
    template::BuildDate,
    version::ReleaseNames,
};

/// Groups and providers as configured.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// Product lines.
    pub groups: BTreeMap<GroupName, Group>,
    /// Places that run appliances.
    pub providers: BTreeMap<ProviderKey, ProviderSpec>,
    /// What names of templates say, where their group has no pattern of its own.
    pub names: naming::Rules,
    /// Services that say which templates there are, and which of them may be used.
    pub sources: BTreeMap<String, Source>,
    /// Providers of which no source knows anything: what is found there is used as it is.
    pub without_source: BTreeSet<ProviderKey>,
    /// What release names in versions stand for.
    pub release_names: ReleaseNames,
    /// Appliances that one user may hold at a time.
    pub holds_per_user: u32,
    /// What carries our tag and belongs to no appliance is left alone for this long.
    pub leak_grace: Duration,
    /// An appliance that is missing is waited for this long.
    pub orphan_grace: Duration,
}

/// A service that says which templates there are, and which of them may be used: a trackerbot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where its API begins.
    pub url: String,
    /// Certificates (PEM) that sign its own; empty: those that everyone trusts.
    pub ca_pem: String,
    /// What it is shown of who asks, a header as HTTP has it; empty: nothing.
    pub authorization: Secret,
    /// The groups whose templates it knows.
    pub groups: BTreeSet<GroupName>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
            providers: BTreeMap::new(),
            names: naming::Rules::default(),
            sources: BTreeMap::new(),
            without_source: BTreeSet::new(),
            release_names: ReleaseNames::default(),
            holds_per_user: 5,
            leak_grace: Duration::from_secs(20),
            orphan_grace: Duration::from_secs(45 * 60),
        }
    }
}

impl Catalogue {
    /// The group of this name.
    pub fn group(&self, name: &GroupName) -> Result<&Group> {
        self.groups.get(name).ok_or_else(|| {
            Error::new(Reason::GroupNotFound, format!("there is no group {name}; {}", known(self.groups.keys())))
                .with("group", &*name.0)
        })
    }

    /// What the name of a template says. Groups with a pattern of their own come first.
    pub fn read_name(&self, name: &str) -> std::result::Result<Reading, Unread> {
        let own = self.groups.values().filter_map(|group| {
            let (version, date) = group.pattern.as_ref()?.read(name)?;
            let dated = date != BuildDate::default();
            Some(Reading {
                rule: format!("template_pattern of group {}", group.name),
                product: None,
                stream: group.name.0.clone(),
                version: Some(version),
                day: dated.then_some(Day::Full(date)),
                build_type: None,
                unusable: false,
                ignore: false,
            })
        });
        let mut own: Vec<_> = own.collect();
        match own.len() {
            0 => self.names.read(name),
            1 => Ok(own.remove(0)),
            _ => Err(Unread::TwoRules(own.into_iter().map(|reading| reading.rule).collect())),
        }
    }

    /// The source that says which templates of a group may be used on a provider; none: all that are found.
    pub fn source_of(&self, group: &GroupName, provider: &ProviderKey) -> Option<&str> {
        let mut sources = self.sources.iter().filter(|_| !self.without_source.contains(provider));
        sources.find(|(_, source)| source.groups.contains(group)).map(|(name, _)| &**name)
    }

    /// The provider of this key, for those who see all.
    pub fn provider(&self, key: &ProviderKey) -> Result<&ProviderSpec> {
        self.provider_seen(key, &Visible::All)
    }

    /// The provider of this key, for someone who sees these; what is not seen does not exist.
    pub fn provider_seen(&self, key: &ProviderKey, visible: &Visible) -> Result<&ProviderSpec> {
        self.providers.get(key).filter(|_| visible.sees(key)).ok_or_else(|| {
            let known = if visible.is_nothing() {
                "you are in no user group with a provider; ask an administrator to put you into one".to_owned()
            } else {
                known(self.providers.keys().filter(|key| visible.sees(key)))
            };
            Error::new(Reason::ProviderNotFound, format!("there is no provider {key}; {known}"))
                .with("provider", &*key.0)
        })
    }
}

/// "known are a, b" for error messages, cut at a readable length.
fn known<T: ToString>(names: impl Iterator<Item = T>) -> String {
    let names: Vec<_> = names.map(|name| name.to_string()).collect();
    match names.len() {
        0 => "none is configured".to_owned(),
        1..=10 => format!("known: {}", names.join(", ")),
        n => format!("known: {} and {} more", names[..10].join(", "), n - 10),
    }
}
