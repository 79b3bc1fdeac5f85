//! Users, their roles, and who is calling.

use crate::{Error, Result, Secret, Timestamp, UserId, WorkerId, quota::Quota};

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Own pools and appliances.
    User,
    /// As a user, but a program: its requests are batch unless they say otherwise.
    Bot,
    /// Sees everything.
    Staff,
    /// Does everything.
    Superuser,
}

/// Someone, or something, that uses Sprout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Identity.
    pub id: UserId,
    /// Name to sign in with.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was created.
    pub created_at: Timestamp,
    /// May not sign in, and no token of theirs works.
    pub disabled: bool,
    /// May override memory and CPUs of appliances.
    pub can_override_hardware: bool,
    /// What the user may have at most.
    pub quota: Quota,
}

/// Who is calling, proven by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A user.
    User(User),
    /// A worker.
    Worker(WorkerId),
}

impl Principal {
    /// The name of the user, or the id of the worker.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => &user.name,
            Self::Worker(worker) => &worker.0,
        }
    }
}

/// Checks the name of a new user.
pub fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
        return Err(Error::invalid("name", "a user name has 1 to 64 characters: letters, digits, and ._@+-"));
    }
    Ok(())
}

/// Checks the new one of two passwords.
pub fn check_new_password(password: &Secret) -> Result<()> {
    check_password(password).map_err(|error| Error::invalid("new_password", error.message))
}

/// Checks a new password.
pub fn check_password(password: &Secret) -> Result<()> {
    match password.expose().chars().count() {
        0..8 => Err(Error::invalid("password", "a password has at least 8 characters")),
        8..=1024 => Ok(()),
        _ => Err(Error::invalid("password", "a password has at most 1024 characters")),
    }
}
