//! Users as they are managed: made, listed, changed, disabled; and their quotas.

use sprout_domain::{
    Error, Reason, Result, Secret, UserId,
    quota::Quota,
    user::{self, Role, User},
};

use super::{hash_password, hash_token, verify_password};
use crate::{
    App,
    ports::{Page, QuotaAndUse, TokensToDelete, Tx, UserChange, UserFilter},
    user_group::{missing, no_user, tell},
    work::{Work, repeated},
};

/// A user to be.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Name to sign in with.
    pub name: String,
    /// Password.
    pub password: Secret,
    /// What the user may do.
    pub role: Role,
    /// May override memory and CPUs of appliances.
    pub can_override_hardware: bool,
    /// Names of user groups to put the user into.
    pub user_groups: Vec<String>,
}

/// What to change of a user; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserUpdate {
    /// What the user may do.
    pub role: Option<Role>,
    /// May not sign in; tokens stop working at once.
    pub disabled: Option<bool>,
    /// May override memory and CPUs of appliances.
    pub can_override_hardware: Option<bool>,
    /// A new password; tokens stop working at once.
    pub password: Option<Secret>,
}

/// A user with the names of the user's groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserView {
    /// The user.
    pub user: User,
    /// Names of the user groups the user is in.
    pub user_groups: Vec<String>,
}

impl App {
    /// Creates a user who is in no user group.
    pub async fn create_user(&self, name: &str, password: Secret, role: Role) -> Result<User> {
        let name = name.to_owned();
        let new = NewUser { name, password, role, can_override_hardware: false, user_groups: Vec::new() };
        Ok(self.add_user(new).await?.user)
    }

    /// Creates a user.
    pub async fn add_user(&self, new: NewUser) -> Result<UserView> {
        user::check_name(&new.name)?;
        user::check_password(&new.password)?;
        let password = new.password.clone();
        let hash = self.hashing(move || hash_password(&password)).await?;
        repeated(|| async {
            let mut work = self.work().await?;
            let made = work.tx.insert_user(&new.name, &hash, new.role).await?;
            let can = UserChange { can_override_hardware: Some(new.can_override_hardware), ..UserChange::default() };
            work.tx.change_user(made.id, &can).await?;
            join(&mut work, made.id, &new.user_groups).await?;
            let made = User { can_override_hardware: new.can_override_hardware, ..made };
            let view = view(work.tx.as_mut(), made).await?;
            work.commit().await?;
            Ok(view)
        })
        .await
    }

    /// The caller, as known to the database, whatever the token used allows.
    pub async fn me(&self, caller: &User) -> Result<UserView> {
        let mut tx = self.ports.store.read().await?;
        let user = find(tx.as_mut(), &caller.name).await?;
        view(tx.as_mut(), user).await
    }

    /// A page of users, by name.
    pub async fn users(&self, filter: &UserFilter, page: Page) -> Result<Vec<UserView>> {
        let mut tx = self.ports.store.read().await?;
        if let Some(name) = &filter.user_group {
            let known = tx.user_groups(None).await?;
            known.iter().find(|group| group.name == *name).ok_or_else(|| missing(name))?;
        }
        let users = tx.users(filter, page).await?;
        let mut groups = tx.groups_of_users(&users.iter().map(|user| user.id).collect::<Vec<_>>()).await?;
        let view = |user: User| UserView { user_groups: groups.remove(&user.id).unwrap_or_default(), user };
        Ok(users.into_iter().map(view).collect())
    }

    /// A user with quota and use: the caller, without a name; for staff, anyone.
    pub async fn user(&self, caller: &User, name: Option<&str>) -> Result<(UserView, QuotaAndUse)> {
        let name = name.unwrap_or(&caller.name);
        let mut tx = self.ports.store.read().await?;
        if name != caller.name && caller.role < Role::Staff {
            return Err(no_user(name));
        }
        let user = find(tx.as_mut(), name).await?;
        let quota = quota(tx.as_mut(), user.id).await?;
        Ok((view(tx.as_mut(), user).await?, quota))
    }

    /// Changes a user.
    pub async fn update_user(&self, caller: &User, name: &str, update: UserUpdate) -> Result<UserView> {
        let hash = match update.password.clone() {
            Some(password) => {
                user::check_password(&password)?;
                Some(self.hashing(move || hash_password(&password)).await?)
            }
            None => None,
        };
        repeated(|| async {
            let UserUpdate { role, disabled, can_override_hardware, .. } = update;
            let change = UserChange { role, disabled, can_override_hardware, password_hash: hash.clone() };
            let mut work = self.work().await?;
            let user = change_user(&mut work, name, &change).await?;
            if change.password_hash.is_some() {
                work.tx.delete_tokens(user.id, &TokensToDelete::All).await?;
            }
            tell(&mut work, caller, format!("{} changed user {name}", caller.name));
            let user = find(work.tx.as_mut(), name).await?;
            let view = view(work.tx.as_mut(), user).await?;
            self.commit_users(work).await?;
            Ok(view)
        })
        .await
    }

    /// Changes the caller's own password; all tokens but the one used stop working.
    pub async fn change_password(&self, caller: &User, token: &Secret, old: Secret, new: Secret) -> Result<()> {
        user::check_new_password(&new)?;
        let known = self.ports.store.read().await?.user_by_name(&caller.name).await?;
        let known = known.map(|(_, hash)| hash).ok_or_else(|| no_user(&caller.name))?;
        let asked = known.clone();
        let hash = self
            .hashing(move || if verify_password(&old, Some(&asked)) { hash_password(&new).map(Some) } else { Ok(None) })
            .await?;
        let hash = hash.ok_or_else(wrong_password)?;
        repeated(|| async {
            let mut work = self.work().await?;
            let (user, current) = work.tx.lock_user(&caller.name).await?.ok_or_else(|| no_user(&caller.name))?;
            if current != known {
                return Err(wrong_password()); // it was changed meanwhile
            }
            let change = UserChange { password_hash: Some(hash.clone()), ..UserChange::default() };
            work.tx.change_user(user.id, &change).await?;
            work.tx.delete_tokens(user.id, &TokensToDelete::AllBut(hash_token(token))).await?;
            tell(&mut work, caller, format!("{} changed the own password", caller.name));
            self.commit_users(work).await
        })
        .await
    }

    /// Replaces a user's quota. That of staff is for superusers to set.
    pub async fn set_quota(&self, caller: &User, name: &str, quota: Quota) -> Result<QuotaAndUse> {
        quota.check()?;
        repeated(|| async {
            let mut work = self.work().await?;
            let (user, _) = work.tx.lock_user(name).await?.ok_or_else(|| no_user(name))?;
            if user.role >= Role::Staff && caller.role < Role::Superuser {
                let message = format!("only superusers set the quota of staff, and {name} is; ask one of them");
                return Err(Error::new(Reason::NotAllowed, message));
            }
            work.tx.set_quota(user.id, &quota).await?;
            tell(&mut work, caller, format!("{} set the quota of {name}", caller.name));
            let set = self::quota(work.tx.as_mut(), user.id).await?;
            self.commit_users(work).await?;
            Ok(set)
        })
        .await
    }
}

/// Changes a user (locked), if someone stays who may do everything.
async fn change_user(work: &mut Work, name: &str, change: &UserChange) -> Result<User> {
    let demotes = change.role.is_some_and(|role| role < Role::Superuser) || change.disabled == Some(true);
    // Locked before the user, so that of two superusers who demote each other the second is refused.
    let superusers = if demotes { work.tx.lock_superusers().await? } else { Vec::new() };
    let (user, _) = work.tx.lock_user(name).await?.ok_or_else(|| no_user(name))?;
    if demotes && user.role == Role::Superuser && !user.disabled && superusers.iter().all(|id| *id == user.id) {
        let message = format!("{name} is the last superuser; make someone else one first");
        return Err(Error::new(Reason::LastSuperuser, message));
    }
    work.tx.change_user(user.id, change).await?;
    Ok(user)
}

async fn join(work: &mut Work, user: UserId, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let known = work.tx.lock_user_groups(names).await?;
    let id = |name: &String| known.get(name).copied().ok_or_else(|| missing(name));
    let groups = names.iter().map(id).collect::<Result<Vec<_>>>()?;
    work.tx.join_user_groups(user, &groups).await
}

async fn find(tx: &mut dyn Tx, name: &str) -> Result<User> {
    Ok(tx.user_by_name(name).await?.ok_or_else(|| no_user(name))?.0)
}

async fn quota(tx: &mut dyn Tx, user: UserId) -> Result<QuotaAndUse> {
    let found = tx.quotas_and_use(&[user]).await?.remove(&user);
    found.ok_or_else(|| Error::internal("a user vanished"))
}

/// The user with the names of the user's groups.
pub(super) async fn view(tx: &mut dyn Tx, user: User) -> Result<UserView> {
    let user_groups = tx.groups_of_users(&[user.id]).await?.remove(&user.id).unwrap_or_default();
    Ok(UserView { user, user_groups })
}

fn wrong_password() -> Error {
    Error::new(Reason::WrongPassword, "the old password is not right; nothing was changed")
}
