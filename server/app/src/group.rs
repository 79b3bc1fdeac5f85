//! Groups: configured, and how many appliances of each are kept warm.

use sprout_domain::{GroupName, Result, group::Group};

use crate::App;

impl App {
    /// All groups, by name, with how many appliances are kept warm for all user groups together.
    pub async fn groups(&self) -> Result<Vec<(Group, u32)>> {
        let counts = self.warm_counts(None).await?;
        let count = |group: &Group| counts.get(&group.name).copied().unwrap_or_default();
        Ok(self.catalogue().groups.values().map(|group| (group.clone(), count(group))).collect())
    }

    /// One group, likewise.
    pub async fn group(&self, name: &GroupName) -> Result<(Group, u32)> {
        let group = self.catalogue().group(name)?.clone();
        let count = self.warm_counts(Some(name)).await?.get(name).copied();
        Ok((group, count.unwrap_or_default()))
    }
}
