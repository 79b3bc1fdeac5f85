//! Configuration that changes while the server runs, from outside: files are written, signals are sent, the log is read.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(dir: &Path) -> Self {
        let command = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sprout-server"));
            command.arg("--config").arg(dir.join("sprout.yaml")).env_remove("RUST_LOG").stdin(Stdio::null());
            command
        };
        assert!(command().arg("migrate").status().unwrap().success());
        let mut child = command().stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut running = Self { child, log };
        running.says("listening on");
        running
    }

    /// Waits for a line of the log.
    fn says(&mut self, part: &str) -> String {
        let line = self.log.by_ref().map_while(Result::ok).find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("the server ended and never said {part:?}"))
    }

    fn hang_up(&self) {
        let kill = format!("kill -HUP {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const IN_USE: &str = "the configuration was read again and is in use";
const REFUSED: &str = "the new configuration is not used, the old one stays: ";

fn sprout(groups: &str) -> String {
    format!("server:\n  listen: 127.0.0.1:0\n  data_dir: data\n  groups:\n{groups}")
}

#[test]
fn changes_are_taken_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(".new"), text).unwrap();
        fs::rename(dir.path().join(".new"), dir.path().join(name)).unwrap();
    };
    let (one, two) =
        ("    a: {template_pattern: 'a-(?<version>.+)'}\n", "    b: {template_pattern: 'b-(?<version>.+)'}\n");
    write("sprout.yaml", &sprout(one));
    let mut server = Running::start(dir.path());

    // A file is written in place.
    fs::write(dir.path().join("sprout.yaml"), sprout(&format!("{one}{two}"))).unwrap();
    let said = server.says(IN_USE);
    assert!(said.contains("groups=2") && said.contains("providers=0"), "{said}");

    // All that is wrong is told, and nothing is taken; SIGHUP tells it again.
    write("sprout.yaml", &sprout("    c: {template_pattern: '(', max_lease: soon}\n    d: {max_lease: later}\n"));
    for round in 0..2 {
        let said = [server.says(REFUSED), server.says(REFUSED)];
        assert!(said[0].contains("sprout.yaml:5:") && said[1].contains("sprout.yaml:6:"), "{round}: {said:?}");
        if round == 0 {
            server.hang_up();
        }
    }

    // A file is emptied by who is about to write it.
    fs::write(dir.path().join("sprout.yaml"), "").unwrap();
    assert!(server.says(REFUSED).contains("empty all of a sudden"));

    // A file that was not there comes.
    write("sprout.yaml", &sprout(one));
    assert!(server.says(IN_USE).contains("groups=1"));
    write("cfme_data.yaml", "management_systems: {c: {type: container, use_for_sprout: true, sprout: {}}}\n");
    assert!(server.says(IN_USE).contains("providers=1"));
    write("cfme_data.local.yaml", "management_systems: {c: {use_for_sprout: false}}\n");
    assert!(server.says(IN_USE).contains("providers=0"));
    fs::remove_file(dir.path().join("cfme_data.local.yaml")).unwrap();
    assert!(server.says(IN_USE).contains("providers=1"));

    // Without a change, SIGHUP reads again; and what cannot change while the server runs is told.
    server.hang_up();
    assert!(server.says(IN_USE).contains("groups=1"));
    write("sprout.local.yaml", "server: {check_interval: 1h, holds_per_user: 7}\n");
    server.says(IN_USE);
    assert!(server.says("take effect when the server starts again").contains("check_interval"));
}
