//! User groups: who may see and use which providers.

use std::collections::BTreeSet;

use sprout_domain::{
    Error, ProviderKey, Reason, Result, UserGroupId, UserId,
    event::{EventKind, NewEvent},
    user::{Role, User},
    user_group::{self, UserGroup},
};

use crate::{
    App,
    ports::{Topic, Tx, UserGroupChange},
    work::{Work, repeated},
};

/// What to add to a user group and what to take away, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserGroupUpdate {
    /// Users to add.
    pub add_members: Vec<String>,
    /// Users to remove.
    pub remove_members: Vec<String>,
    /// Providers to add.
    pub add_providers: Vec<ProviderKey>,
    /// Providers to remove.
    pub remove_providers: Vec<ProviderKey>,
}

impl App {
    /// The user groups the caller is in, with no other member named; for staff, all.
    pub async fn user_groups(&self, caller: &User) -> Result<Vec<UserGroup>> {
        user_groups(self.ports.store.read().await?.as_mut(), caller).await
    }

    /// One of them.
    pub async fn user_group(&self, caller: &User, name: &str) -> Result<UserGroup> {
        user_group(self.ports.store.read().await?.as_mut(), caller, name).await
    }

    /// Creates a user group with its first members and providers.
    pub async fn create_user_group(
        &self,
        caller: &User,
        name: &str,
        members: Vec<String>,
        providers: Vec<ProviderKey>,
    ) -> Result<UserGroup> {
        user_group::check_name(name)?;
        let first = UserGroupUpdate { add_members: members, add_providers: providers, ..UserGroupUpdate::default() };
        repeated(|| async {
            let mut work = self.work().await?;
            let id = work.tx.insert_user_group(name).await?;
            self.change(&mut work, id, &first).await?;
            tell(&mut work, caller, format!("{} created user group {name}", caller.name));
            let made = user_group(work.tx.as_mut(), caller, name).await?;
            self.commit_users(work).await?;
            Ok(made)
        })
        .await
    }

    /// Adds and removes members and providers; what is there, or is not, already does no harm.
    pub async fn update_user_group(&self, caller: &User, name: &str, update: &UserGroupUpdate) -> Result<UserGroup> {
        check_update(update)?;
        repeated(|| async {
            let mut work = self.work().await?;
            let id = lock(&mut work, name).await?;
            self.change(&mut work, id, update).await?;
            tell(&mut work, caller, format!("{} changed user group {name}", caller.name));
            let changed = user_group(work.tx.as_mut(), caller, name).await?;
            self.commit_users(work).await?;
            Ok(changed)
        })
        .await
    }

    /// Deletes a user group, and what was to be kept warm for it. Its members lose the providers they saw through it alone.
    pub async fn delete_user_group(&self, caller: &User, name: &str) -> Result<()> {
        repeated(|| async {
            let mut work = self.work().await?;
            let id = lock(&mut work, name).await?;
            work.tx.delete_user_group(id).await?;
            tell(&mut work, caller, format!("{} deleted user group {name}", caller.name));
            work.wake(Topic::Warm);
            self.commit_users(work).await
        })
        .await
    }

    async fn change(&self, work: &mut Work, id: UserGroupId, update: &UserGroupUpdate) -> Result<()> {
        let change = UserGroupChange {
            add_members: users(work.tx.as_mut(), &update.add_members).await?,
            remove_members: users(work.tx.as_mut(), &update.remove_members).await?,
            add_providers: update.add_providers.clone(),
            remove_providers: update.remove_providers.clone(),
        };
        let catalogue = self.catalogue();
        for key in &update.add_providers {
            catalogue.provider(key)?;
        }
        // One that is configured no longer can be taken out of those groups that still have it.
        let there: BTreeSet<_> = group_with_id(work.tx.as_mut(), id).await?.providers.into_iter().collect();
        for key in update.remove_providers.iter().filter(|key| !there.contains(key)) {
            catalogue.provider(key)?;
        }
        work.tx.change_user_group(id, &change).await
    }

    /// Commits a change of users, after which nothing remembered of them is used here; elsewhere the event sees to that.
    pub(crate) async fn commit_users(&self, work: Work) -> Result<()> {
        let committed = work.commit().await;
        self.tokens.revoked();
        committed
    }
}

/// Says that something about users changed.
pub(crate) fn tell(work: &mut Work, caller: &User, message: String) {
    work.emit(NewEvent { user: Some(caller.name.clone()), ..NewEvent::new(EventKind::UserChanged, message) });
}

async fn lock(work: &mut Work, name: &str) -> Result<UserGroupId> {
    work.tx.lock_user_groups(&[name.to_owned()]).await?.remove(name).ok_or_else(|| missing(name))
}

fn check_update(update: &UserGroupUpdate) -> Result<()> {
    let twice = |what: &str| format!("{what} cannot be both added and removed; name it once");
    if let Some(name) = update.add_members.iter().find(|name| update.remove_members.contains(name)) {
        return Err(Error::invalid("remove_members", twice(&format!("user {name}"))));
    }
    match update.add_providers.iter().find(|key| update.remove_providers.contains(key)) {
        Some(key) => Err(Error::invalid("remove_providers", twice(&format!("provider {key}")))),
        None => Ok(()),
    }
}

async fn users(tx: &mut dyn Tx, names: &[String]) -> Result<Vec<UserId>> {
    let known = tx.users_named(names).await?;
    let id = |name: &String| known.get(name).copied().ok_or_else(|| no_user(name));
    names.iter().map(id).collect()
}

async fn group_with_id(tx: &mut dyn Tx, id: UserGroupId) -> Result<UserGroup> {
    let found = tx.user_groups(None).await?.into_iter().find(|group| group.id == id);
    found.ok_or_else(|| Error::internal("a user group vanished although it was locked"))
}

async fn user_groups(tx: &mut dyn Tx, caller: &User) -> Result<Vec<UserGroup>> {
    if caller.role >= Role::Staff {
        return tx.user_groups(None).await;
    }
    let mut mine = tx.user_groups(Some(caller.id)).await?;
    let visible = crate::visibility::visible_to(tx, caller).await?;
    for group in &mut mine {
        group.members.retain(|member| *member == caller.name);
        group.providers.retain(|key| visible.sees(key));
    }
    Ok(mine)
}

async fn user_group(tx: &mut dyn Tx, caller: &User, name: &str) -> Result<UserGroup> {
    user_groups(tx, caller).await?.into_iter().find(|group| group.name == name).ok_or_else(|| missing(name))
}

/// There is no such user group, or none the caller may see.
pub(crate) fn missing(name: &str) -> Error {
    let message = format!("there is no user group {name}; see `sproutctl user-group list`");
    Error::new(Reason::UserGroupNotFound, message).with("user_group", name)
}

/// There is no such user, or none the caller may see.
pub(crate) fn no_user(name: &str) -> Error {
    Error::new(Reason::UserNotFound, format!("there is no user {name}; see `sproutctl user list`")).with("user", name)
}
