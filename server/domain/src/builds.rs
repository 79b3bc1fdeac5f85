//! Builds of a product as container images, read from an index: a page of links, or a list with one name a line.

use std::collections::BTreeSet;

use crate::{group::TemplatePattern, template::BuildDate, version::Version};

/// Where builds of a group are told, as configured.
#[derive(Debug, Clone)]
pub struct BuildSource {
    /// `http://` or `https://`.
    pub url: String,
    /// Which names are builds, and what their version and date are.
    pub pattern: TemplatePattern,
    /// What appliances pull: `{name}` stands for the name of the build.
    pub image: String,
}

/// One build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// What appliances pull.
    pub image: String,
    /// Version read from its name.
    pub version: Version,
    /// Date read from its name.
    pub date: BuildDate,
}

/// Names that are looked at; an index with more is not one of builds.
const MOST: usize = 20_000;
/// Endings that are no part of a build's name.
const ENDINGS: [&str; 5] = [".tar.gz", ".tgz", ".tar.xz", ".tar", "/"];

impl BuildSource {
    /// The builds that an index tells, the newest date first, each once.
    pub fn read(&self, index: &str) -> Vec<Build> {
        let names: BTreeSet<&str> = names(index).take(MOST).map(plain).collect();
        let build = |name: &&str| {
            let (version, date) = self.pattern.read(name)?;
            Some(Build { image: self.image.replace("{name}", name), version, date })
        };
        let mut builds: Vec<_> = names.iter().filter_map(build).collect();
        builds.sort_by(|a, b| (b.date, &b.version, &b.image).cmp(&(a.date, &a.version, &a.image)));
        builds
    }
}

/// What may be names: where links lead to, or where there are none, the first word of each line.
fn names(index: &str) -> Box<dyn Iterator<Item = &str> + '_> {
    if !index.contains('<') {
        return Box::new(index.lines().filter_map(|line| line.split_whitespace().next()));
    }
    let links = index.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next()
    });
    Box::new(links)
}

/// The last part of where a link leads to, without what is no part of a name.
fn plain(link: &str) -> &str {
    let link = link.split(['?', '#']).next().unwrap_or_default();
    let mut name = link;
    loop {
        let shorter = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
        match shorter {
            Some(shorter) => name = shorter,
            None => break,
        }
    }
    // A name may be that of an image with its place, unless it is a link.
    match name.rsplit_once('/') {
        Some((_, last)) if name.starts_with(['/', '.']) || name.contains("://") => last,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> BuildSource {
        BuildSource {
            url: "https://builds.example/".to_owned(),
            pattern: TemplatePattern::new(r"cfme-(?<version>[0-9.]+)-(?<date>\d{8})").unwrap(),
            image: "registry.example/cfme:{name}".to_owned(),
        }
    }

    #[test]
    fn pages_and_lists_tell_the_same() {
        let page = r#"<html><h1>Index of /</h1><a href="../">..</a>
            <a href='cfme-5.11.0.1-20190102/'>x</a><a href="/builds/cfme-5.11.0.2-20190201.tar.gz?x=1">y</a>
            <a href="https://other.example/cfme-5.10.1-20190101.tgz">z</a> <a href=cfme-5.9.1-20180101>unquoted</a>
            <a href="cfme-5.11.0.1-20190102/">again</a><a href="README">r</a>"#;
        let list = "cfme-5.11.0.1-20190102\ncfme-5.11.0.2-20190201  12 MB\n\n# no build\ncfme-5.10.1-20190101\n";
        let builds = source().read(page);
        assert_eq!(builds, source().read(list));
        let images: Vec<_> = builds.iter().map(|build| build.image.as_str()).collect();
        assert_eq!(
            images,
            [
                "registry.example/cfme:cfme-5.11.0.2-20190201",
                "registry.example/cfme:cfme-5.11.0.1-20190102",
                "registry.example/cfme:cfme-5.10.1-20190101"
            ]
        );
    }

    #[test]
    fn what_is_no_index_tells_nothing() {
        for text in ["", "<", "<a href=", "<a href=\"", "\u{0}\u{ffff}", &"<a href='x'>".repeat(50_000)] {
            assert_eq!(source().read(text), []);
        }
    }
}
