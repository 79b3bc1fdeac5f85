//! Groups: product lines, what their appliances offer, and how those prove ready.

use std::time::Duration;

use chrono::NaiveDate;
use regex::Regex;

use crate::{GroupName, preparation::Preparation, template::BuildDate, version::Version};

/// One product line, as configured.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Which template names belong to it, whatever the rules for names say; none: as those say.
    pub pattern: Option<TemplatePattern>,
    /// Lease given when a request names none.
    pub default_lease: Duration,
    /// Longest lease from now.
    pub max_lease: Duration,
    /// How long before its end the holder of a lease is told so, the earliest first.
    pub reminders: Vec<Duration>,
    /// Deployments of one of its templates that may fail one after the other before that is quarantined; never 0.
    pub quarantine_failures: u32,
    /// A warm appliance that proved ready longer ago proves it again before it is handed out.
    pub proof_limit: Duration,
    /// A deployment that is not ready after this time is ended.
    pub deploy_limit: Duration,
    /// Templates older than so many days are used for no new appliances; none: however old.
    pub template_obsolete_days: Option<u32>,
    /// Templates older than so many days are deleted; none: however old they are, they stay.
    pub template_obsolete_days_delete: Option<u32>,
    /// Services its appliances offer.
    pub endpoints: Vec<EndpointSpec>,
    /// What an appliance must pass to be ready.
    pub probes: Vec<Probe>,
    /// What is done inside of appliances.
    pub preparation: Preparation,
}

/// A service that appliances of a group offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Its name, e.g. "web".
    pub name: String,
    /// TCP port inside the appliance.
    pub port: u16,
    /// URL scheme; none: no URL is made.
    pub scheme: Option<String>,
}

/// Where a service of one appliance answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name given by the group.
    pub name: String,
    /// Host or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// URL, where the group gives a scheme.
    pub url: Option<String>,
}

/// One proof of readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Endpoint of the group to connect to.
    pub endpoint: String,
    /// All tries together.
    pub deadline: Duration,
    /// One try.
    pub timeout: Duration,
    /// What to do there.
    pub check: ProbeCheck,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeCheck {
    /// GET, judged by status and body.
    Http {
        /// Use TLS, without verifying certificates.
        tls: bool,
        /// Path with query.
        path: String,
        /// Accepted statuses; empty: 200 to 399.
        statuses: Vec<u16>,
        /// Text the body must contain; empty: any.
        body_contains: String,
    },
    /// A connection is accepted.
    Tcp,
    /// An SSH server introduces itself.
    Ssh,
}

/// A rule that says which template names belong to a group, and reads version and date from them.
#[derive(Debug, Clone)]
pub struct TemplatePattern(Regex);

/// What is wrong with a template pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not a regular expression.
    #[error("not a regular expression: {0}")]
    Syntax(String),
    /// It names neither a version nor a date.
    #[error("it needs a named part `(?<version>…)`, or `(?<date>…)` where builds have no version")]
    NoVersion,
}

impl TemplatePattern {
    /// Takes a regular expression with the named parts `version` and `date` (`YYYYMMDD`), or one of them. It must match the whole name.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(|e| PatternError::Syntax(e.to_string()))?;
        if !regex.capture_names().flatten().any(|name| name == "version" || name == "date") {
            return Err(PatternError::NoVersion);
        }
        Ok(Self(regex))
    }

    /// The regular expression as configured.
    pub fn as_str(&self) -> &str {
        let whole = self.0.as_str();
        whole.strip_prefix("^(?:").and_then(|s| s.strip_suffix(")$")).unwrap_or(whole)
    }

    /// Version and date of a template of this name; `None` if it does not belong to the group. A name without a date counts as the oldest; one
    /// without a version, as nightly builds have it, has a made-up one of its date.
    pub fn read(&self, template: &str) -> Option<(Version, BuildDate)> {
        let parts = self.0.captures(template)?;
        let date = match parts.name("date") {
            Some(text) => Some(NaiveDate::parse_from_str(text.as_str(), "%Y%m%d").ok()?),
            None => None,
        };
        let version = match parts.name("version") {
            Some(text) => Version::new(text.as_str()),
            None => Version::made_up(date?),
        };
        Some((version, date.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_version_and_date_from_whole_names_only() {
        let pattern = TemplatePattern::new(r"cfme-(?<version>5\.11\.[0-9.]+)-(?<date>\d{8})").unwrap();
        let (version, date) = pattern.read("cfme-5.11.7.3-20200910").unwrap();
        assert_eq!((version.as_str(), date.to_string().as_str()), ("5.11.7.3", "2020-09-10"));
        for other in ["cfme-5.11.7.3", "xcfme-5.11.7.3-20200910", "cfme-5.11.7.3-20201399", "cfme-5.10.1-20200910"] {
            assert_eq!(pattern.read(other), None, "{other}");
        }
    }

    #[test]
    fn a_nightly_build_has_a_version_of_its_date() {
        let pattern = TemplatePattern::new(r"nightly-(?<date>\d{8})").unwrap();
        let (version, date) = pattern.read("nightly-20200131").unwrap();
        assert_eq!((version.as_str(), date.to_string().as_str()), ("...20200131", "2020-01-31"));
        let either = TemplatePattern::new(r"miq(-(?<version>[0-9.]+))?(-(?<date>\d{8}))?").unwrap();
        assert_eq!(either.read("miq"), None, "neither version nor date");
    }

    #[test]
    fn refuses_patterns_that_cannot_work() {
        assert!(matches!(TemplatePattern::new("(").unwrap_err(), PatternError::Syntax(_)));
        assert_eq!(TemplatePattern::new("x").unwrap_err(), PatternError::NoVersion);
        assert_eq!(TemplatePattern::new("(?<version>.*)").unwrap().as_str(), "(?<version>.*)");
    }
}
