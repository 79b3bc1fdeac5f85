//! Names become parts of request paths, so only what an engine could have given out is sent.

use crate::driver::{DriverError, Reason, Result};

/// A container's name, by the rule of Docker and Podman.
pub(super) fn check_appliance(name: &str) -> Result<()> {
    let rest = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(rest) && name.len() > 1 {
        return Ok(());
    }
    Err(DriverError::new(
        Reason::Invalid,
        format!("{name:?} is no name for a container; use two or more letters, digits and _.- after a letter or digit"),
    ))
}

/// An image's name, with or without a tag.
pub(super) fn check_template(template: &str) -> Result<()> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-:@".contains(c))
    };
    if template.split('/').all(part) {
        return Ok(());
    }
    Err(DriverError::new(Reason::Invalid, format!("{template:?} is no name of an image; write it as name:tag")))
}

/// An image's name without its tag, and the tag ("latest" if there is none).
pub(super) fn split_template(template: &str) -> (&str, &str) {
    match template.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (template, "latest"),
    }
}

/// The name people use: Docker leaves its own registry out of names, Podman spells it out, and both understand either.
pub(super) fn familiar(template: &str) -> &str {
    template.strip_prefix("docker.io/").map_or(template, |rest| rest.strip_prefix("library/").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        for good in ["ab", "sprout-0001", "9.x_y"] {
            check_appliance(good).expect(good);
        }
        for bad in ["", "a", "-a", "../images", "a/b", "a?b", "a b", "ä1"] {
            assert_eq!(check_appliance(bad).expect_err(bad).reason, Reason::Invalid);
        }
        for good in ["a:1", "lab.example:5000/team/a:1.0-2", "a"] {
            check_template(good).expect(good);
        }
        for bad in ["", "/a", "a/", "a/../b", "a?b:1", "a b"] {
            assert_eq!(check_template(bad).expect_err(bad).reason, Reason::Invalid);
        }
    }

    #[test]
    fn tags_are_told_from_ports() {
        assert_eq!(split_template("lab:5000/a"), ("lab:5000/a", "latest"));
        assert_eq!(split_template("lab:5000/a:1"), ("lab:5000/a", "1"));
        assert_eq!(familiar("docker.io/library/a:1"), "a:1");
        assert_eq!(familiar("docker.io/team/a:1"), "team/a:1");
        assert_eq!(familiar("localhost/a:1"), "localhost/a:1");
    }
}
