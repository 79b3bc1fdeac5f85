//! Tokens of users: names, scopes, lives.

use std::time::Duration;

use crate::{Error, Result, Timestamp, TokenId, user::Role};

/// The name of tokens made by signing in.
pub const LOGIN: &str = "login";
/// How long a token works of which nothing is said.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long a token works at most.
pub const MAX_LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// What a token may be used for; each more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenScope {
    /// Calls that change nothing.
    Read,
    /// Those, and work on the owner's own pools and appliances, as if the owner were an ordinary user.
    Use,
    /// Everything the owner may do.
    Full,
}

impl TokenScope {
    /// Name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Use => "use",
            Self::Full => "full",
        }
    }

    /// The role in which an owner in this role calls.
    pub fn acts_as(self, owner: Role) -> Role {
        match self {
            Self::Use if owner >= Role::Staff => Role::User,
            Self::Read | Self::Use | Self::Full => owner,
        }
    }
}

/// A token, without what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Identity.
    pub id: TokenId,
    /// Name its owner gave it.
    pub name: String,
    /// What it may be used for.
    pub scope: TokenScope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working; none: never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the nearest few minutes; none: never.
    pub used_at: Option<Timestamp>,
}

/// Checks the name of a token that a user makes.
pub fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) || name.trim() != name {
        let message = "a token's name has 1 to 64 characters, without line breaks, and no space at its ends";
        return Err(Error::invalid("name", message));
    }
    if name == LOGIN {
        return Err(Error::invalid("name", "tokens made by signing in are called login; choose another name"));
    }
    Ok(())
}

/// How long a token that a user makes works.
pub fn lifetime(asked: Option<Duration>) -> Result<Duration> {
    let lifetime = asked.unwrap_or(DEFAULT_LIFETIME);
    if lifetime.is_zero() || lifetime > MAX_LIFETIME {
        return Err(Error::invalid("lifetime", "a token works at most 400 days; ask for less, e.g. 90d"));
    }
    Ok(lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_lets_anyone_do_more_than_the_owner_may() {
        let roles = [Role::User, Role::Bot, Role::Staff, Role::Superuser];
        for (scope, owner) in
            [TokenScope::Read, TokenScope::Use, TokenScope::Full].into_iter().flat_map(|s| roles.map(|r| (s, r)))
        {
            let role = scope.acts_as(owner);
            assert!(role <= owner, "{scope:?} of {owner:?}");
            assert_eq!(role >= Role::Staff, owner >= Role::Staff && scope != TokenScope::Use, "{scope:?} of {owner:?}");
        }
        assert_eq!(TokenScope::Use.acts_as(Role::Bot), Role::Bot);
    }

    #[test]
    fn names_can_be_shown_and_lives_have_an_end() {
        for fine in ["ci", "nightly job 7", "über", &"x".repeat(64)] {
            assert!(check_name(fine).is_ok(), "{fine}");
        }
        for wrong in ["", " ", "a ", "a\nb", "login", &"x".repeat(65)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(lifetime(None), Ok(DEFAULT_LIFETIME));
        assert_eq!(lifetime(Some(MAX_LIFETIME)), Ok(MAX_LIFETIME));
        for wrong in [Duration::ZERO, MAX_LIFETIME + Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(lifetime(Some(wrong)).unwrap_err().metadata, [("field", "lifetime".to_owned())]);
        }
    }
}
