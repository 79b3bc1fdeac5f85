//! Groups, as configured.

use sprout_domain::{GroupName, Result, group::Group};

use crate::App;

impl App {
    /// All groups, by name.
    pub fn groups(&self) -> Vec<Group> {
        self.catalogue().groups.values().cloned().collect()
    }

    /// One group.
    pub fn group(&self, name: &GroupName) -> Result<Group> {
        self.catalogue().group(name).cloned()
    }
}
