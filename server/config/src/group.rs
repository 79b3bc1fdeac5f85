//! Groups: product lines, which templates belong to them, and how their appliances prove ready.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Deserializer, de};
use sprout_conf::Located;

use crate::{ActionConfig, Config, Mistakes, PrepareConfig, SshConfig, Time};

/// One product line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// Regular expression for the whole name of a template, with the named parts `version` and `date`, or one of them; default: `template_names` say
    /// which templates are its.
    pub template_pattern: Option<Located<String>>,
    /// Name of the catalogue that says which of its templates may be used; default: all that are found.
    pub catalogue: Option<Located<String>>,
    /// Lease where a request names none; default 60m.
    #[serde(default = "default_lease")]
    pub default_lease: Time,
    /// Longest lease from now; default 24h.
    #[serde(default = "max_lease")]
    pub max_lease: Time,
    /// How long before its end the holder of a lease is told so; default 1h and 10m.
    #[serde(default = "lease_reminders")]
    pub lease_reminders: Vec<Time>,
    /// Deployments of one template that may fail one after the other before that is quarantined; default 3.
    #[serde(default = "quarantine_failures")]
    pub quarantine_failures: Located<u32>,
    /// A warm appliance that proved ready longer ago proves it again before it is handed out; default 1h.
    #[serde(default = "proof_limit")]
    pub proof_limit: Time,
    /// A deployment that is not ready after this time is ended, and goes on elsewhere; default 60m.
    #[serde(default = "deploy_limit")]
    pub deploy_limit: Time,
    /// Templates older than so many days are used for no new appliances, but for the newest ones; default: however old.
    pub template_obsolete_days: Option<Located<u32>>,
    /// Templates older than so many days are deleted, but for the newest ones; default: none is.
    pub template_obsolete_days_delete: Option<Located<u32>>,
    /// Not here any more: says where.
    #[serde(default)]
    warm: Option<Moved>,
    /// Services its appliances offer, by name.
    #[serde(default)]
    pub endpoints: BTreeMap<String, EndpointConfig>,
    /// How to sign in to its appliances; default: nothing is done over SSH.
    pub ssh: Option<SshConfig>,
    /// Index of its builds as container images, a page of links or a list: `http://` or `https://`; default: there is none.
    pub templates_url: Option<Located<String>>,
    /// Which names in the index are builds; default: as `template_pattern`.
    pub build_pattern: Option<Located<String>>,
    /// What appliances pull of a build; default `{name}`, which stands for its name.
    pub build_image: Option<Located<String>>,
    /// What brings an appliance up to date where a request wants that, in this order; it is restarted afterwards. Default: nobody can want it.
    #[serde(default)]
    pub update: Vec<ActionConfig>,
    /// How its templates are prepared; default: they are used as they are.
    pub prepare: Option<PrepareConfig>,
    /// What an appliance must pass to be ready; none: it is ready as soon as it runs and has an address.
    #[serde(default)]
    pub probes: Vec<ProbeConfig>,
}

/// A service that appliances offer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// TCP port inside the appliance.
    pub port: Located<u16>,
    /// URL scheme, e.g. `http`; none: no URL is shown.
    pub scheme: Option<String>,
}

/// One proof of readiness: an endpoint and one of `http`, `tcp`, `ssh`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeConfig {
    /// Name of the endpoint to connect to.
    pub endpoint: Located<String>,
    /// All tries together; default 10m.
    #[serde(default = "deadline")]
    pub deadline: Time,
    /// One try; default 5s.
    #[serde(default = "timeout")]
    pub timeout: Time,
    /// A web server answers.
    pub http: Option<HttpConfig>,
    /// A connection is accepted.
    pub tcp: Option<NothingToSet>,
    /// An SSH server introduces itself.
    pub ssh: Option<NothingToSet>,
}

/// What a web server must answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Path with query; default `/`.
    pub path: String,
    /// Statuses that are accepted; default: 200 to 399.
    pub statuses: Vec<u16>,
    /// Text the body must contain.
    pub body_contains: String,
    /// Use TLS, without verifying the certificate.
    pub tls: bool,
}

/// What is kept warm was configured here once.
#[derive(Debug, Clone, Copy)]
struct Moved;

impl<'de> Deserialize<'de> for Moved {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        let message = "how many are kept warm is not configured here any more; remove this, and keep appliances warm with \
                       `sproutctl shepherd set GROUP --preconfigured N`";
        Err(de::Error::custom(message))
    }
}

/// A check without settings: `{}`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NothingToSet {}

/// What a probe does.
#[derive(Debug, Clone)]
pub enum CheckConfig<'a> {
    /// See [`HttpConfig`].
    Http(&'a HttpConfig),
    /// A connection is accepted.
    Tcp,
    /// An SSH server introduces itself.
    Ssh,
}

fn default_lease() -> Time {
    Time::seconds(60 * 60)
}

fn max_lease() -> Time {
    Time::seconds(24 * 60 * 60)
}

fn lease_reminders() -> Vec<Time> {
    vec![Time::seconds(60 * 60), Time::seconds(10 * 60)]
}

fn quarantine_failures() -> Located<u32> {
    Located::nowhere(3)
}

fn proof_limit() -> Time {
    Time::seconds(60 * 60)
}

fn deploy_limit() -> Time {
    Time::seconds(60 * 60)
}

fn deadline() -> Time {
    Time::seconds(10 * 60)
}

fn timeout() -> Time {
    Time::seconds(5)
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { path: "/".to_owned(), statuses: Vec::new(), body_contains: String::new(), tls: false }
    }
}

impl ProbeConfig {
    /// What it does; `None` if it names no check or more than one.
    pub fn check(&self) -> Option<CheckConfig<'_>> {
        match (&self.http, self.tcp, self.ssh) {
            (Some(http), None, None) => Some(CheckConfig::Http(http)),
            (None, Some(_), None) => Some(CheckConfig::Tcp),
            (None, None, Some(_)) => Some(CheckConfig::Ssh),
            _ => None,
        }
    }
}

impl GroupConfig {
    /// Days after which templates are used no more, and deleted.
    fn check_days(&self, path: &str, config: &Config, mistakes: &mut Mistakes) {
        let (disused, deleted) = (&self.template_obsolete_days, &self.template_obsolete_days_delete);
        for (key, days) in [("template_obsolete_days", disused), ("template_obsolete_days_delete", deleted)] {
            if let Some(days) = days.as_ref().filter(|days| days.value == 0) {
                let message = "a template is at least a day old before it is obsolete; use 1 or more, or leave it out";
                config.mistake_at(mistakes, days, &format!("{path}.{key}"), message);
            }
        }
        if let (Some(disused), Some(deleted)) = (disused, deleted)
            && deleted.value < disused.value
        {
            let message =
                format!("shorter than template_obsolete_days, {}: nothing is deleted that is used", disused.value);
            config.mistake_at(mistakes, deleted, &format!("{path}.template_obsolete_days_delete"), message);
        }
    }

    pub(crate) fn check(&self, name: &str, config: &Config, mistakes: &mut Mistakes) {
        let path = format!("groups.{name}");
        if !is_name(name) {
            config.mistake(mistakes, &path, "a group's name has 1 to 64 letters, digits and ._-");
        }
        self.check_pattern(&path, config, mistakes);
        if let Some(catalogue) =
            self.catalogue.as_ref().filter(|name| !config.server.catalogues.contains_key(&name.value))
        {
            let known: Vec<_> = config.server.catalogues.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
            let message = format!("there is no `{}` in server.catalogues; known: {known}", catalogue.value);
            config.mistake_at(mistakes, catalogue, &format!("{path}.catalogue"), message);
        }
        // Read only to be refused.
        let _ = self.warm;
        if self.proof_limit.0.is_zero() {
            let message = "a proof must be good for some time; use 1h";
            config.mistake(mistakes, &format!("{path}.proof_limit"), message);
        }
        if self.deploy_limit < Time::seconds(60) {
            let message = format!("{} is too short for any deployment; use 60m", self.deploy_limit);
            config.mistake(mistakes, &format!("{path}.deploy_limit"), message);
        }
        self.check_days(&path, config, mistakes);
        if self.default_lease.0.is_zero() {
            config.mistake(mistakes, &format!("{path}.default_lease"), "a lease must have a length; use 60m");
        }
        if self.default_lease > self.max_lease {
            let message = format!("{} is longer than max_lease, {}", self.default_lease, self.max_lease);
            config.mistake(mistakes, &format!("{path}.default_lease"), message);
        }
        if self.lease_reminders.iter().any(|before| before.0.is_zero()) {
            let message = "a reminder at the end itself comes too late; use e.g. [1h, 10m], or [] for none";
            config.mistake(mistakes, &format!("{path}.lease_reminders"), message);
        }
        if self.quarantine_failures.value == 0 {
            let message = "the first failure is number 1; use 1 or more";
            let path = format!("{path}.quarantine_failures");
            config.mistake_at(mistakes, &self.quarantine_failures, &path, message);
        }
        let mut ports = BTreeMap::new();
        for (endpoint, EndpointConfig { port, scheme }) in &self.endpoints {
            let path = format!("{path}.endpoints.{endpoint}");
            if !is_name(endpoint) {
                config.mistake_at(mistakes, port, &path, "an endpoint's name has 1 to 64 letters, digits and ._-");
            }
            if port.value == 0 {
                config.mistake_at(mistakes, port, &format!("{path}.port"), "there is no port 0; use 1 to 65535");
            }
            if let Some(other) = ports.insert(port.value, endpoint) {
                let message = format!("endpoint {other} has port {} already; remove one of them", port.value);
                config.mistake_at(mistakes, port, &format!("{path}.port"), message);
            }
            if scheme
                .as_deref()
                .is_some_and(|s| s.is_empty() || !s.chars().all(|c| c.is_ascii_alphanumeric() || c == '+'))
            {
                config.mistake_at(
                    mistakes,
                    port,
                    &format!("{path}.scheme"),
                    "not a URL scheme; use http, https or ssh",
                );
            }
        }
        self.check_preparation(&path, config, mistakes);
        for (index, probe) in self.probes.iter().enumerate() {
            self.check_probe(&format!("{path}.probes[{index}]"), probe, config, mistakes);
        }
    }

    fn check_pattern(&self, path: &str, config: &Config, mistakes: &mut Mistakes) {
        if let Some(pattern) = &self.template_pattern {
            check_pattern(&format!("{path}.template_pattern"), pattern, config, mistakes);
        }
        if self.templates_url.is_some() && self.template_pattern.is_none() && self.build_pattern.is_none() {
            let message = "nothing says which names there are builds; give the group a `build_pattern`";
            config.mistake(mistakes, &format!("{path}.templates_url"), message);
        }
        if let Some(pattern) = &self.build_pattern {
            check_pattern(&format!("{path}.build_pattern"), pattern, config, mistakes);
        }
    }

    fn check_probe(&self, path: &str, probe: &ProbeConfig, config: &Config, mistakes: &mut Mistakes) {
        let mut wrong = |key: &str, message: String| {
            config.mistake_at(mistakes, &probe.endpoint, &format!("{path}{key}"), message);
        };
        let endpoint = &probe.endpoint.value;
        if !self.endpoints.contains_key(endpoint) {
            let known: Vec<_> = self.endpoints.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "the group has none".to_owned() } else { known.join(", ") };
            wrong(".endpoint", format!("there is no endpoint `{endpoint}`; known endpoints: {known}"));
        }
        if probe.check().is_none() {
            wrong("", "a probe has exactly one of `http: {…}`, `tcp: {}` and `ssh: {}`".to_owned());
        }
        if probe.timeout.0.is_zero() || probe.timeout > probe.deadline {
            wrong(".timeout", format!("{} is not between 0s and the deadline, {}", probe.timeout, probe.deadline));
        }
        let Some(http) = &probe.http else { return };
        if !http.path.starts_with('/') || http.path.chars().any(|c| c.is_whitespace() || c.is_control()) {
            wrong(
                ".http.path",
                format!("{:?} is not the path of a URL; begin it with / and write no spaces", http.path),
            );
        }
        if let Some(status) = http.statuses.iter().find(|status| !(100..600).contains(*status)) {
            wrong(".http.statuses", format!("{status} is not an HTTP status; use 100 to 599"));
        }
    }
}

/// The domain has the same rule; this one is for who checks a file without a server.
fn check_pattern(path: &str, pattern: &Located<String>, config: &Config, mistakes: &mut Mistakes) {
    match regex(&pattern.value) {
        Err(message) => config.mistake_at(mistakes, pattern, path, message),
        Ok(regex) if !regex.capture_names().flatten().any(|name| name == "version" || name == "date") => {
            let message = "it needs a named part `(?<version>…)`, or `(?<date>…)` where builds have no version";
            config.mistake_at(mistakes, pattern, path, message);
        }
        Ok(_) => {}
    }
}

/// A pattern for whole names; or what is wrong with it.
pub(crate) fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
        // A regular expression's error is drawn over several lines; the last one says it.
        let error = error.to_string();
        format!("not a regular expression: {}", error.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })
}

/// Names that can be part of file names, URLs and environment variables.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}
