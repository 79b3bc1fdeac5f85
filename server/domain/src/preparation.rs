//! Preparing templates: what is done inside of an appliance that is to become one, what such a template is called, and what its version must be.
//!
//! An appliance is deployed from the template as it was built, its version is looked at, it is configured, sealed and powered off, and made a template on
//! the same provider. Everything that is done inside is configuration, as scripts, files and requests.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    GroupName, Secret, Timestamp, builds::BuildSource, circuit::back_off, lease, template::BuildDate,
    template::Preparations, version::Version,
};

/// What is done inside of the appliances of a group, as configured. Never stored: it may hold secrets.
#[derive(Debug, Clone, Default)]
pub struct Preparation {
    /// Templates of the group are to be prepared before anybody gets them.
    pub wanted: bool,
    /// The service prepares them by itself, the newest first.
    pub automatic: bool,
    /// Where builds are told that are pulled as containers; none: nowhere.
    pub builds: Option<BuildSource>,
    /// How to sign in; none: nothing is done over SSH.
    pub ssh: Option<SshAccess>,
    /// What prints the version that is inside.
    pub version: Option<Action>,
    /// What makes it usable.
    pub configure: Vec<Action>,
    /// What takes out of it what belongs to that one appliance alone.
    pub seal: Vec<Action>,
    /// What brings an appliance up to date, where a request wants that.
    pub update: Vec<Action>,
}

/// How to sign in by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAccess {
    /// Name of the endpoint to connect to.
    pub endpoint: String,
    /// Who.
    pub username: String,
    /// With a password.
    pub password: Option<Secret>,
    /// With a private key.
    pub private_key: Option<Secret>,
}

/// Something to be done on an appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub deed: Deed,
    /// It must end within this time.
    pub limit: Duration,
    /// It must say something at least this often.
    pub silence: Option<Duration>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Run a script over SSH.
    Script {
        /// What it is called, for people.
        name: String,
        /// The script itself.
        text: Arc<str>,
    },
    /// Write a file over SSH.
    Upload {
        /// What it is called, for people.
        name: String,
        /// What is in it.
        content: Arc<[u8]>,
        /// Absolute path to write to.
        path: String,
        /// Permissions.
        mode: u32,
    },
    /// Make an HTTP request.
    Http(Box<HttpCall>),
}

/// An HTTP request to a service of the appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// Name of the endpoint.
    pub endpoint: String,
    /// Use TLS, without verifying the certificate.
    pub tls: bool,
    /// GET, POST …
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Body.
    pub body: String,
    /// Type of the body; empty: none is named.
    pub content_type: String,
    /// Accepted statuses; empty: 200 to 299.
    pub statuses: Vec<u16>,
    /// Who asks, and with which password.
    pub credentials: Option<(String, Secret)>,
}

impl Action {
    /// It needs SSH.
    pub fn is_over_ssh(&self) -> bool {
        !matches!(self.deed, Deed::Http(_))
    }
}

impl Preparation {
    /// How to sign in, where anything is done over SSH.
    pub fn ssh_needed(&self) -> Option<&SshAccess> {
        let mut all = self.version.iter().chain(&self.configure).chain(&self.seal);
        self.ssh.as_ref().filter(|_| all.any(Action::is_over_ssh))
    }

    /// What all of these may take together.
    pub fn time_of(actions: &[Action]) -> Duration {
        actions.iter().fold(Duration::ZERO, |sum, action| sum.saturating_add(action.limit))
    }

    /// A preparation that takes longer is ended: what its actions may take, each tried again once, and what deploying may.
    pub fn limit(&self, deploy: Duration) -> Duration {
        let all: Vec<_> = self.version.iter().chain(&self.configure).chain(&self.seal).cloned().collect();
        Self::time_of(&all).saturating_mul(2).saturating_add(deploy).saturating_add(MAKING)
    }
}

/// Copying an image may take this long.
const MAKING: Duration = Duration::from_secs(60 * 60);
/// Time until a template is prepared again whose preparation failed; doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(10 * 60);
/// The longest time until the next.
const LONGEST_WAIT: Duration = Duration::from_secs(12 * 60 * 60);
/// Names of templates are not longer than this, whatever their provider takes.
pub const NAME: usize = 63;
/// The shortest limit that a provider can have: what tells names apart must fit.
pub const SHORTEST_NAME: usize = 20;

impl Preparations {
    /// After another one failed.
    #[must_use]
    pub fn failed(&self, why: &str, now: Timestamp, jitter: f64) -> Self {
        let wait = back_off(FIRST_WAIT, LONGEST_WAIT, self.failures, jitter);
        let failures = self.failures.saturating_add(1);
        Self { failures, error: why.to_owned(), not_before: Some(lease::end(now, wait)) }
    }
}

/// `s_tpl_GROUP_YYYYMMDD_RAND8`: the form clean-up rules of existing installations know. Where that is longer than the provider takes, the
/// group is cut, and then the date.
pub fn template_name(group: &GroupName, date: BuildDate, today: BuildDate, random: &str, limit: Option<u32>) -> String {
    let limit = limit.map_or(NAME, |limit| usize::try_from(limit).unwrap_or(NAME)).clamp(SHORTEST_NAME, NAME);
    let fine = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c.to_ascii_lowercase() } else { '-' };
    // A name without a date has that of the day on which it is made.
    let date = if date == BuildDate::default() { today } else { date };
    let date = date.format("%Y%m%d").to_string();
    let rest = "s_tpl___".len() + date.len() + random.len();
    match limit.checked_sub(rest).filter(|left| *left > 0) {
        Some(left) => {
            let group: String = group.0.chars().map(fine).take(left.min(30)).collect();
            format!("s_tpl_{group}_{date}_{random}")
        }
        None => format!("s_tpl_{random}"),
    }
}

/// How the version inside of a template stands to the one that its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionFound {
    /// Nothing was looked at, or it is the same.
    Same,
    /// Only the suffix differs: the record says from now on what is inside.
    Corrected(Version),
    /// It is another one.
    Mismatch(Version),
}

impl fmt::Display for VersionFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Corrected(_) => "corrected",
            Self::Mismatch(_) => "mismatch",
        })
    }
}

/// Compares what was printed with what the record says. A record that was made up of a date says nothing, and takes what is inside.
pub fn compare_versions(recorded: &Version, printed: &str) -> VersionFound {
    let printed = printed.trim();
    if printed.is_empty() || printed == recorded.as_str() {
        return VersionFound::Same;
    }
    let found = Version::new(printed);
    let release = |version: &Version| version.as_str().split('-').next().unwrap_or_default().to_owned();
    if recorded.is_made_up() || release(recorded) == release(&found) {
        VersionFound::Corrected(found)
    } else {
        VersionFound::Mismatch(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> BuildDate {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_as_long_as_the_provider_takes() {
        let (group, day, today) = (GroupName::from("Downstream/511z"), date("2020-09-10"), date("2026-01-02"));
        let name = |limit| template_name(&group, day, today, "abcd1234", limit);
        assert_eq!(name(None), "s_tpl_downstream-511z_20200910_abcd1234");
        assert_eq!(name(Some(30)), "s_tpl_downst_20200910_abcd1234");
        assert_eq!(name(Some(24)), "s_tpl_abcd1234");
        assert_eq!(name(Some(1)), "s_tpl_abcd1234", "shorter than anything that tells names apart");
        for limit in [None, Some(20), Some(25), Some(40), Some(1000)] {
            let most = limit.map_or(NAME, |limit| usize::try_from(limit).unwrap().min(NAME));
            assert!(name(limit).len() <= most, "{limit:?}");
        }
        let dateless = template_name(&"g".into(), BuildDate::default(), today, "abcd1234", None);
        assert_eq!(dateless, "s_tpl_g_20260102_abcd1234");
    }

    #[test]
    fn a_suffix_corrects_the_record_and_anything_else_is_a_mismatch() {
        use VersionFound as V;
        let version = |text: &str| Version::new(text);
        for (recorded, printed, wanted) in [
            ("5.11.7.3", "5.11.7.3\n", V::Same),
            ("5.11.7.3", "", V::Same),
            ("5.11.7.3", "5.11.7.3-rc1", V::Corrected(version("5.11.7.3-rc1"))),
            ("5.11.7.3-pre", "5.11.7.3", V::Corrected(version("5.11.7.3"))),
            ("5.11.7.3", "5.11.7.30", V::Mismatch(version("5.11.7.30"))),
            ("5.11.7.3", "5.10.1", V::Mismatch(version("5.10.1"))),
            ("...20200131", "5.11.1", V::Corrected(version("5.11.1"))),
        ] {
            assert_eq!(compare_versions(&version(recorded), printed), wanted, "{recorded} {printed:?}");
        }
    }

    #[test]
    fn what_failed_is_tried_again_later_and_later() {
        let now = Timestamp::UNIX_EPOCH;
        let mut preparations = Preparations::default();
        let mut last = now;
        for failures in 1..=4 {
            preparations = preparations.failed("why", now, 0.5);
            let next = preparations.not_before.unwrap();
            assert!(next > last && preparations.failures == failures, "{preparations:?}");
            last = next;
        }
        assert_eq!(preparations.error, "why");
    }
}
