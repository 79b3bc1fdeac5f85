//! User groups: users who may see and use the same providers.

use crate::{Error, ProviderKey, Result, Timestamp, UserGroupId};

/// Users who may see and use the same providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserGroup {
    /// Identity.
    pub id: UserGroupId,
    /// Name.
    pub name: String,
    /// Names of its members, in order.
    pub members: Vec<String>,
    /// The providers its members see, in order.
    pub providers: Vec<ProviderKey>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Checks the name of a new user group.
pub fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
        return Err(Error::invalid("name", "a user group's name has 1 to 64 characters: letters, digits, and ._-"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for fine in ["qe", "QE-5.11_b", "7", &"x".repeat(64)] {
            assert!(check_name(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "a b", "ü", "a/b", "a@b", "a\n", &"x".repeat(65)] {
            assert_eq!(check_name(wrong).unwrap_err().metadata, [("field", "name".to_owned())], "{wrong}");
        }
    }
}
