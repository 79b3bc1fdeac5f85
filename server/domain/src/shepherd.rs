//! Shepherds: how many appliances of a group are kept warm for a user group, and what is to be done so that there are.
//!
//! [`plan`] is what the refill does and what people are shown before they set anything, so the two cannot differ.

mod plan;
#[cfg(test)]
mod tests;

pub use self::plan::{Action, Change, Part, Pasture, Standing, Stock, plan};
use crate::{Error, GroupName, Result, UserGroupId, demand::Demand};

/// More appliances than anyone keeps warm of one kind: a slip of the finger must not fill a provider.
const MOST: u32 = 10_000;

/// What is kept warm of a group for a user group, or for everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shepherd {
    /// The group.
    pub group: GroupName,
    /// For whom.
    pub flock: Flock,
    /// Appliances of preconfigured templates.
    pub preconfigured: u32,
    /// Appliances of unconfigured templates.
    pub unconfigured: u32,
    /// Sizes the preconfigured ones by demand instead.
    pub demand: Option<Demand>,
}

/// For whom appliances are kept warm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flock {
    /// Everyone who sees the provider they are on.
    Everyone,
    /// The members of a user group.
    UserGroup {
        /// Which.
        id: UserGroupId,
        /// Its name.
        name: String,
    },
}

impl Flock {
    /// The user group, if it is one.
    pub fn id(&self) -> Option<UserGroupId> {
        match self {
            Self::Everyone => None,
            Self::UserGroup { id, .. } => Some(*id),
        }
    }

    /// Its name; empty for everyone.
    pub fn name(&self) -> &str {
        match self {
            Self::Everyone => "",
            Self::UserGroup { name, .. } => name,
        }
    }
}

impl std::fmt::Display for Flock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::UserGroup { name, .. } => write!(f, "user group {name}"),
        }
    }
}

impl Shepherd {
    /// One that keeps nothing: there is no need to remember it.
    pub fn is_idle(&self) -> bool {
        self.preconfigured == 0 && self.unconfigured == 0 && self.demand.is_none()
    }

    /// Refuses counts that nobody means.
    pub fn check(&self) -> Result<()> {
        for (field, count) in [("preconfigured", self.preconfigured), ("unconfigured", self.unconfigured)] {
            if count > MOST {
                return Err(Error::invalid(field, format!("{field} is {count}; keep at most {MOST} warm")));
            }
        }
        let Some(demand) = &self.demand else { return Ok(()) };
        if self.preconfigured > 0 {
            let message = "preconfigured ones are sized by demand; leave their count away, or the demand";
            return Err(Error::invalid("preconfigured", message));
        }
        if demand.max > MOST {
            return Err(Error::invalid("demand.max", format!("the most is {}; keep at most {MOST} warm", demand.max)));
        }
        demand.check()
    }

    /// How many are wanted of a kind, where demand asks for this many preconfigured ones.
    pub fn wanted(&self, unconfigured: bool, by_demand: Option<u32>) -> u32 {
        if unconfigured { self.unconfigured } else { by_demand.unwrap_or(self.preconfigured) }
    }
}
