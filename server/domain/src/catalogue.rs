//! What the configuration says exists: groups and providers. One immutable value, replaced whole on reload.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Error, GroupName, ProviderKey, Reason, Result, Visible, group::Group, provider::ProviderSpec, version::ReleaseNames,
};

/// Groups and providers as configured.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// Product lines.
    pub groups: BTreeMap<GroupName, Group>,
    /// Places that run appliances.
    pub providers: BTreeMap<ProviderKey, ProviderSpec>,
    /// What release names in versions stand for.
    pub release_names: ReleaseNames,
    /// Appliances that one user may hold at a time.
    pub holds_per_user: u32,
    /// What carries our tag and belongs to no appliance is left alone for this long.
    pub leak_grace: Duration,
    /// An appliance that is missing is waited for this long.
    pub orphan_grace: Duration,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
            providers: BTreeMap::new(),
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
