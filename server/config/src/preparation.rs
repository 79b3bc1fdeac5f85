//! What is done inside of appliances: how to sign in, and the scripts, files and requests that make a template of one.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use sprout_conf::Located;

use crate::{Config, Credentials, GroupConfig, Mistakes, Time, credentials::Book};

/// Files are at most this large: they travel to workers with each step.
const FILE: u64 = 2 * 1024 * 1024;
/// And all of a list together.
const FILES: usize = 8 * 1024 * 1024;

/// How to sign in to appliances by SSH.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshConfig {
    /// Name of the endpoint to connect to; default `ssh`.
    #[serde(default = "ssh_endpoint")]
    pub endpoint: Located<String>,
    /// Key of `credentials.yaml`: `username`, and `password` or `private_key`.
    pub credentials: Located<String>,
    /// What is there.
    #[serde(skip)]
    pub resolved: Option<Credentials>,
}

/// How templates are prepared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrepareConfig {
    /// The service prepares new templates by itself; default true.
    #[serde(default = "yes")]
    pub automatic: bool,
    /// Prints the version that is inside; default: it is not looked at.
    pub version: Option<ActionConfig>,
    /// Makes the appliance usable, in this order.
    #[serde(default)]
    pub configure: Vec<ActionConfig>,
    /// Takes out of it what belongs to that one appliance alone, in this order.
    #[serde(default)]
    pub seal: Vec<ActionConfig>,
}

/// One thing to be done: one of `script`, `script_file`, `upload`, `http`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionConfig {
    /// A script, run by SSH.
    pub script: Option<String>,
    /// A file with a script, from the directory of this file on.
    pub script_file: Option<Located<PathBuf>>,
    /// A file to write there, by SSH.
    pub upload: Option<UploadConfig>,
    /// An HTTP request.
    pub http: Option<HttpCallConfig>,
    /// It must end within this time; default 10m.
    #[serde(default = "limit")]
    pub limit: Time,
    /// It must say something at least this often; default 5m.
    #[serde(default = "silence")]
    pub silence: Time,
    /// What is in the file.
    #[serde(skip)]
    pub content: Option<Arc<[u8]>>,
}

/// A file to write.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadConfig {
    /// The file, from the directory of this file on.
    pub file: Located<PathBuf>,
    /// Absolute path to write it to.
    pub to: Located<String>,
    /// Permissions, octal; default `'0644'`.
    #[serde(default = "mode")]
    pub mode: Located<String>,
}

/// An HTTP request to a service of the appliance.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCallConfig {
    /// Name of the endpoint.
    pub endpoint: Located<String>,
    /// Default `POST`.
    #[serde(default = "method")]
    pub method: String,
    /// Path with query; default `/`.
    #[serde(default = "root")]
    pub path: String,
    /// Default: none.
    #[serde(default)]
    pub body: String,
    /// Default: none is named.
    #[serde(default)]
    pub content_type: String,
    /// Statuses that are accepted; default: 200 to 299.
    #[serde(default)]
    pub statuses: Vec<u16>,
    /// Use TLS, without verifying the certificate.
    #[serde(default)]
    pub tls: bool,
    /// Key of `credentials.yaml`, for basic authentication; default: none.
    pub credentials: Option<Located<String>>,
    /// What is there.
    #[serde(skip)]
    pub resolved: Option<Credentials>,
}

fn ssh_endpoint() -> Located<String> {
    Located::nowhere("ssh".to_owned())
}

fn yes() -> bool {
    true
}

fn limit() -> Time {
    Time::seconds(10 * 60)
}

fn silence() -> Time {
    Time::seconds(5 * 60)
}

fn mode() -> Located<String> {
    Located::nowhere("0644".to_owned())
}

fn method() -> String {
    "POST".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

impl ActionConfig {
    /// It needs SSH.
    pub fn is_over_ssh(&self) -> bool {
        self.http.is_none()
    }

    fn file(&self) -> Option<&Located<PathBuf>> {
        self.script_file.as_ref().or_else(|| self.upload.as_ref().map(|upload| &upload.file))
    }
}

impl UploadConfig {
    /// The permissions as a number, if they are some.
    pub fn mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.mode.value, 8).ok().filter(|mode| *mode <= 0o7777)
    }
}

impl PrepareConfig {
    /// All actions, each with its path from the group on.
    fn actions(&self) -> impl Iterator<Item = (String, &ActionConfig)> {
        let numbered = |name: &'static str| move |(n, action)| (format!("prepare.{name}[{n}]"), action);
        self.version
            .iter()
            .map(|action| ("prepare.version".to_owned(), action))
            .chain(self.configure.iter().enumerate().map(numbered("configure")))
            .chain(self.seal.iter().enumerate().map(numbered("seal")))
    }

    fn actions_mut(&mut self) -> impl Iterator<Item = &mut ActionConfig> {
        self.version.iter_mut().chain(&mut self.configure).chain(&mut self.seal)
    }
}

impl GroupConfig {
    /// Reads the files that actions name, `base` being the directory of this file. Says which there are.
    pub(crate) fn read_files(&mut self, base: &Path) -> Vec<(PathBuf, Option<String>)> {
        let mut read = Vec::new();
        let actions = self.prepare.iter_mut().flat_map(PrepareConfig::actions_mut).chain(&mut self.update);
        for action in actions {
            let Some(path) = action.file().map(|file| base.join(&file.value)) else { continue };
            let content = content(&path);
            read.push((path, content.as_ref().err().cloned()));
            action.content = content.ok();
        }
        read
    }

    /// Looks up the credentials that are named.
    pub(crate) fn resolve(&mut self, name: &str, book: &Book<'_>, mistakes: &mut Mistakes) {
        let path = format!("server.groups.{name}");
        if let Some(ssh) = &mut self.ssh {
            ssh.resolved = book.for_ssh(&ssh.credentials, &format!("{path}.ssh.credentials"), mistakes);
        }
        let actions = self.prepare.iter_mut().flat_map(PrepareConfig::actions_mut).chain(&mut self.update);
        for action in actions {
            if let Some(http) = &mut action.http
                && let Some(key) = &http.credentials
            {
                http.resolved = book.named(key, &format!("{path}.prepare"), mistakes);
            }
        }
    }

    /// It names credentials.
    pub(crate) fn has_credentials(&self) -> bool {
        let calls = self
            .prepare
            .iter()
            .flat_map(PrepareConfig::actions)
            .any(|(_, action)| action.http.as_ref().is_some_and(|http| http.credentials.is_some()));
        calls || self.ssh.is_some()
    }

    pub(crate) fn check_preparation(&self, path: &str, config: &Config, mistakes: &mut Mistakes) {
        if let Some(ssh) = &self.ssh {
            self.check_ssh(path, ssh, config, mistakes);
        }
        self.check_builds(path, config, mistakes);
        for (n, action) in self.update.iter().enumerate() {
            self.check_action(&format!("{path}.update[{n}]"), action, config, mistakes);
        }
        let Some(prepare) = &self.prepare else { return };
        if prepare.configure.is_empty() && prepare.seal.is_empty() && prepare.version.is_none() {
            let message = "nothing is done to prepare a template; name what is in `version`, `configure` or `seal`, or remove `prepare`";
            config.mistake(mistakes, &format!("{path}.prepare"), message);
        }
        if prepare.version.as_ref().is_some_and(|action| action.script.is_none() && action.script_file.is_none()) {
            let message = "only a script can tell the version; write `script: cat /etc/version`";
            config.mistake(mistakes, &format!("{path}.prepare.version"), message);
        }
        for (at, action) in prepare.actions() {
            self.check_action(&format!("{path}.{at}"), action, config, mistakes);
        }
        for (name, actions) in [("configure", &prepare.configure), ("seal", &prepare.seal)] {
            let size: usize = actions.iter().filter_map(|action| action.content.as_ref()).map(|file| file.len()).sum();
            if size > FILES {
                let message = format!(
                    "its files are {size} bytes together, and {FILES} can be sent; fetch the large ones by a script"
                );
                config.mistake(mistakes, &format!("{path}.prepare.{name}"), message);
            }
        }
    }

    fn check_builds(&self, path: &str, config: &Config, mistakes: &mut Mistakes) {
        let Some(url) = &self.templates_url else {
            for (key, there) in [("build_pattern", &self.build_pattern), ("build_image", &self.build_image)] {
                if let Some(there) = there {
                    let message = "it says nothing without `templates_url`; add that, or remove it";
                    config.mistake_at(mistakes, there, &format!("{path}.{key}"), message);
                }
            }
            return;
        };
        let rest = url.value.strip_prefix("http://").or_else(|| url.value.strip_prefix("https://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains(char::is_whitespace)) {
            let message = format!("{:?} is no address of an index; write https://host/path", url.value);
            config.mistake_at(mistakes, url, &format!("{path}.templates_url"), message);
        }
        if self.prepare.is_none() {
            let message = "builds are pulled where a template is prepared; say how with `prepare`";
            config.mistake_at(mistakes, url, &format!("{path}.templates_url"), message);
        }
        if let Some(image) = self.build_image.as_ref().filter(|image| !image.value.contains("{name}")) {
            let message = "it names the same image for all builds; write `{name}` where the name of the build belongs";
            config.mistake_at(mistakes, image, &format!("{path}.build_image"), message);
        }
    }

    fn check_ssh(&self, path: &str, ssh: &SshConfig, config: &Config, mistakes: &mut Mistakes) {
        if !self.endpoints.contains_key(&ssh.endpoint.value) {
            let message = format!(
                "there is no endpoint `{}`; add `ssh: {{port: 22}}` to the endpoints of the group",
                ssh.endpoint.value
            );
            config.mistake_at(mistakes, &ssh.endpoint, &format!("{path}.ssh.endpoint"), message);
        }
        let Some(found) = &ssh.resolved else { return };
        let key = found.others.contains_key("private_key");
        let message = match (&found.username, found.password.is_some() || key) {
            (None, _) => "these credentials have no `username`",
            (_, false) => "these credentials have neither `password` nor `private_key`",
            _ => return,
        };
        config.mistake_at(mistakes, &ssh.credentials, &format!("{path}.ssh.credentials"), message);
    }

    fn check_action(&self, path: &str, action: &ActionConfig, config: &Config, mistakes: &mut Mistakes) {
        let kinds =
            [action.script.is_some(), action.script_file.is_some(), action.upload.is_some(), action.http.is_some()];
        let mut wrong = |key: &str, message: String| config.mistake(mistakes, &format!("{path}{key}"), message);
        if kinds.into_iter().filter(|there| *there).count() != 1 {
            return wrong("", "it has exactly one of `script`, `script_file`, `upload` and `http`".to_owned());
        }
        if action.limit.0.is_zero() {
            wrong(".limit", "it needs some time; use 10m".to_owned());
        }
        if action.silence.0.is_zero() {
            wrong(".silence", "it cannot speak all the time; use 5m".to_owned());
        }
        if action.is_over_ssh() && self.ssh.is_none() {
            wrong("", "it is done over SSH; say how to sign in with `ssh: {credentials: KEY}` in the group".to_owned());
        }
        if action.script.as_ref().is_some_and(|script| script.trim().is_empty()) {
            wrong(".script", "the script is empty; write one, or remove it".to_owned());
        }
        if let Some(upload) = &action.upload {
            if upload.mode().is_none() {
                wrong(".upload.mode", format!("{:?} is no permission; write it like '0644'", upload.mode.value));
            }
            let to = &upload.to.value;
            if !to.starts_with('/') || to.ends_with('/') || to.contains('\0') {
                wrong(".upload.to", format!("{to:?} is no absolute path of a file; write it like /etc/app.conf"));
            }
        }
        let Some(http) = &action.http else { return };
        if !self.endpoints.contains_key(&http.endpoint.value) {
            wrong(".http.endpoint", format!("the group has no endpoint `{}`", http.endpoint.value));
        }
        if !http.path.starts_with('/') || http.path.chars().any(|c| c.is_whitespace() || c.is_control()) {
            wrong(
                ".http.path",
                format!("{:?} is not the path of a URL; begin it with / and write no spaces", http.path),
            );
        }
        if http.method.is_empty() || !http.method.chars().all(|c| c.is_ascii_uppercase()) {
            wrong(".http.method", format!("{:?} is no method; write GET, POST, PUT, PATCH or DELETE", http.method));
        }
        if let Some(status) = http.statuses.iter().find(|status| !(100..600).contains(*status)) {
            wrong(".http.statuses", format!("{status} is not an HTTP status; use 100 to 599"));
        }
    }
}

/// What is in a file, or what is wrong with it.
fn content(path: &Path) -> Result<Arc<[u8]>, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > FILE {
        return Err(format!("{} is {size} bytes large, and {FILE} can be sent; fetch it by a script", path.display()));
    }
    fs::read(path).map(Arc::from).map_err(cannot)
}
