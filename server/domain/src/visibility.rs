//! Who sees which providers, and with them their templates and appliances.
//!
//! Staff see all. Everyone else sees those that a user group of theirs has, unless they are hidden. Own pools and appliances are seen by their owner
//! wherever they are.

use std::collections::BTreeSet;

use crate::{ProviderKey, user::Role};

/// What someone sees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Visible {
    /// All providers.
    #[default]
    All,
    /// These providers.
    Only(BTreeSet<ProviderKey>),
}

impl Visible {
    /// What someone in this role sees, who is in user groups with these providers (hidden ones left out).
    pub fn to(role: Role, providers: BTreeSet<ProviderKey>) -> Self {
        if role >= Role::Staff { Self::All } else { Self::Only(providers) }
    }

    /// Whether the provider is seen.
    pub fn sees(&self, provider: &ProviderKey) -> bool {
        match self {
            Self::All => true,
            Self::Only(providers) => providers.contains(provider),
        }
    }

    /// Nothing is seen.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(providers) if providers.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staff_see_all_and_others_what_their_user_groups_have() {
        let (a, b) = (ProviderKey::from("a"), ProviderKey::from("b"));
        for (role, all) in [(Role::User, false), (Role::Bot, false), (Role::Staff, true), (Role::Superuser, true)] {
            let visible = Visible::to(role, [a.clone()].into());
            assert!(visible.sees(&a), "{role:?}");
            assert_eq!(visible.sees(&b), all, "{role:?}");
            assert_eq!(Visible::to(role, BTreeSet::new()).is_nothing(), !all, "{role:?}");
            assert!(!visible.is_nothing());
        }
    }
}
