//! A server with canned answers, for tests of what sproutctl prints and exits with; and sproutctl run against it.

mod fake;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use tokio::runtime::Runtime;

pub(crate) use fake::Fake;

/// What one run of sproutctl did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A fake server, and a home directory of its own.
pub(crate) struct Bed {
    pub(crate) fake: Fake,
    pub(crate) address: SocketAddr,
    home: tempfile::TempDir,
    _runtime: Runtime,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let fake = Fake::default();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(fake.clone().serve(listener));
        Self { fake, address, home: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home.path().join(".config/sprout/config.yaml")
    }

    /// sproutctl without a server in flags or environment, and without a terminal.
    pub(crate) fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sproutctl"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// sproutctl, signed in at the fake.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(arguments);
        command.env("SPROUT_SERVER", format!("http://{}", self.address)).env("SPROUT_TOKEN", "good");
        command
    }

    /// sproutctl, signed in at the fake as staff.
    pub(crate) fn staff(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).env("SPROUT_TOKEN", "staff").output().unwrap())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Tables without what depends on the time of the test: ages of many years, in days.
pub(crate) fn timeless(text: &str) -> String {
    let hide = |word: &str| if word.parse::<u32>().is_ok_and(|days| days > 300) { "DAYS" } else { word }.to_owned();
    text.lines().map(|line| line.split(' ').map(hide).collect::<Vec<_>>().join(" ") + "\n").collect()
}
