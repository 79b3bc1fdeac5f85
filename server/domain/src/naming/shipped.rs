//! The rules known where nothing is configured: names of ManageIQ and CFME builds, and those that Sprout itself gives.

use std::sync::LazyLock;

use super::{Rule, RuleSpec};

/// Name, pattern, product, stream.
type Build = (&'static str, &'static str, &'static str, &'static str);

/// Builds with all that is said in parts, or in texts.
const BUILDS: [(Build, Option<&str>); 6] = [
    (
        (
            "cfme",
            r"cfme-(?<version>5\.(?<minor>\d{1,2})\.\d+\.\d+)-((?<type>\w+)-)?(?<date>\d{8}|\d{4})",
            "cfme",
            "downstream-5{minor}z",
        ),
        None,
    ),
    (
        (
            "cfme-without-dots",
            r"cfme-5(?<minor>1\d|[2-9])(?<patch>\d)(?<build>\d+)-(?<date>\d{4})",
            "cfme",
            "downstream-5{minor}z",
        ),
        Some("5.{minor}.{patch}.{build}"),
    ),
    (
        (
            "docker",
            r"docker-(?<version>5\.(?<minor>\d{1,2})\.\d+\.\d+)-(?<date>\d{8}|\d{4})",
            "docker",
            "downstream-5{minor}z",
        ),
        None,
    ),
    (
        (
            "docker-without-dots",
            r"docker-5(?<minor>1\d|[2-9])(?<patch>\d)(?<build>\d+)-(?<date>\d{8}|\d{4})",
            "docker",
            "downstream-5{minor}z",
        ),
        Some("5.{minor}.{patch}.{build}"),
    ),
    (
        (
            "miq",
            r"miq-(stable-)?(?<version>(?<release>euwe|fine|gaprindashvili|hammer|ivanchuk|jansa)(-\w+)*?)-(?<date>\d{8}(\d{4})?)",
            "miq",
            "upstream-{release}",
        ),
        None,
    ),
    (
        ("miq-nightly", r"miq-(nightly-)?(?<date>(?<day>\d{8})(\d{4})?)", "miq", "upstream"),
        // Newer than whatever has a number.
        Some("...{day}"),
    ),
];

/// Name, pattern, stream.
const OTHERS: [(&str, &str, &str); 5] = [
    (
        "sprout-downstream",
        r"s[-_](appl|tpl)[-_]downstream[-_](?<version>5(1\d|[2-9]))z[-_](?<date>\d{6}(\d{2})?)([-_].*)?",
        "downstream-{version}z",
    ),
    (
        "sprout-upstream",
        r"s[-_](appl|tpl)[-_]upstream[-_](?<version>(?<release>euwe|fine|gaprindashvili|hammer|ivanchuk|jansa)(-\w+)*?)[-_](?<date>\d{6}(\d{2})?)([-_].*)?",
        "upstream-{release}",
    ),
    ("sprout-nightly", r"s[-_](appl|tpl)[-_]upstream[-_](stable[-_])?(?<date>\d{6}(\d{2})?)([-_].*)?", "upstream"),
    ("sprout", r"(s[-_](appl|tpl)|sprout_template).*", "sprout"),
    ("raw", r"raw.*", "rhevm-internal"),
];

pub(super) static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let builds = BUILDS.map(|((name, pattern, product, stream), version)| RuleSpec {
        product: Some(product.to_owned()),
        version: version.map(str::to_owned),
        unusable_types: if name == "cfme" { ["extdb".to_owned()].into() } else { [].into() },
        ..spec(name, pattern, stream)
    });
    let others = OTHERS.map(|(name, pattern, stream)| RuleSpec {
        ignore: true,
        fallback: name == "sprout",
        ..spec(name, pattern, stream)
    });
    // A test makes them all.
    builds.into_iter().chain(others).filter_map(|spec| Rule::new(spec).ok()).collect()
});

fn spec(name: &str, pattern: &str, stream: &str) -> RuleSpec {
    RuleSpec {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        stream: Some(stream.to_owned()),
        ..RuleSpec::default()
    }
}

/// So many there are.
#[cfg(test)]
pub(super) fn count() -> usize {
    BUILDS.len() + OTHERS.len()
}
