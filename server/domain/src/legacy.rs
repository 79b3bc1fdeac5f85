//! What is known of the service that was replaced, as far as it has a place here.

use crate::{quota::Quota, user::Role};

/// Its users and what belongs to them, and how much there is of what is not taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegacyService {
    /// Users.
    pub users: Vec<LegacyUser>,
    /// User groups.
    pub user_groups: Vec<LegacyUserGroup>,
    /// What it kept warm.
    pub shepherds: Vec<LegacyShepherd>,
    /// Pools that have not ended.
    pub pools: u64,
    /// Appliances there are.
    pub appliances: u64,
    /// Saved searches for bugs.
    pub bug_queries: u64,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyUser {
    /// Name to sign in with.
    pub name: String,
    /// Hash of the password, as Django writes it.
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
    /// May not sign in.
    pub disabled: bool,
    /// May override memory and CPUs of appliances.
    pub can_override_hardware: bool,
    /// Names of the user groups the user is in.
    pub user_groups: Vec<String>,
    /// What the user may have.
    pub quota: Quota,
}

/// A user group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyUserGroup {
    /// Its name.
    pub name: String,
    /// Keys of the providers it may use.
    pub providers: Vec<String>,
}

/// What is kept warm of a group for a user group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyShepherd {
    /// Name of the group.
    pub group: String,
    /// Name of the user group.
    pub user_group: String,
    /// Appliances of preconfigured templates.
    pub preconfigured: u32,
    /// Appliances of unconfigured templates.
    pub unconfigured: u32,
}

/// What a user may do here: bots were those with that for a last name.
pub fn role(is_superuser: bool, is_staff: bool, last_name: &str) -> Role {
    match (is_superuser, is_staff) {
        (true, _) => Role::Superuser,
        (false, true) => Role::Staff,
        (false, false) if last_name.eq_ignore_ascii_case("bot") => Role::Bot,
        (false, false) => Role::User,
    }
}

/// A name that user groups may have here: what they may not, becomes `_`. There names were free text.
pub fn user_group_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    name.trim().chars().map(plain).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_group::check_name;

    #[test]
    fn roles_are_the_highest_there_is() {
        assert_eq!(role(true, true, "bot"), Role::Superuser);
        assert_eq!(role(false, true, "bot"), Role::Staff);
        assert_eq!(role(false, false, "Bot"), Role::Bot);
        assert_eq!(role(false, false, "Botev"), Role::User);
    }

    #[test]
    fn names_of_user_groups_become_ones_that_are_allowed() {
        for (name, here) in [("QE", "QE"), (" Cloud & infra ", "Cloud___infra"), ("tým", "t_m")] {
            assert_eq!(user_group_name(name), here);
            assert!(check_name(here).is_ok());
        }
        assert!(check_name(&user_group_name(&"x".repeat(150))).is_ok());
    }
}
