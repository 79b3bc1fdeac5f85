//! Configuration that changes while the server runs, from outside: files are written, signals are sent, the log is read.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

struct Running {
    child: Child,
    /// Where its numbers are.
    metrics: String,
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
        let mut running = Self { child, metrics: String::new(), log };
        let said = running.says("metrics are at http://");
        let address = said.split("http://").nth(1).unwrap().trim_end_matches("/metrics");
        address.clone_into(&mut running.metrics);
        running.says("listening on");
        running
    }

    /// Waits for a line of the log.
    fn says(&mut self, part: &str) -> String {
        let line = self.log.by_ref().map_while(Result::ok).find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("the server ended and never said {part:?}"))
    }

    /// A number, as Prometheus gets it.
    fn metric(&self, name: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.metrics).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: metrics\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200") && text.contains("# EOF"), "{text}");
        text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned))
    }

    /// Waits until a number is this one.
    fn counts(&self, name: &str, number: &str) {
        let begun = Instant::now();
        while self.metric(name).as_deref() != Some(number) {
            assert!(begun.elapsed() < PATIENCE, "{name} is {:?} instead of {number}", self.metric(name));
        }
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

/// A number that does not come by then never does.
const PATIENCE: Duration = Duration::from_secs(30);
const IN_USE: &str = "the configuration was read again and is in use";
const REFUSED: &str = "the new configuration is not used, the old one stays: ";

fn sprout(groups: &str) -> String {
    format!("server:\n  listen: 127.0.0.1:0\n  metrics_listen: 127.0.0.1:0\n  data_dir: data\n  groups:\n{groups}")
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

    server.counts("sprout_config_generation", "2");
    server.counts("sprout_config_reload_ok", "1");

    // All that is wrong is told, and nothing is taken; SIGHUP tells it again.
    write("sprout.yaml", &sprout("    c: {template_pattern: '(', max_lease: soon}\n    d: {max_lease: later}\n"));
    for round in 0..2 {
        let said = [server.says(REFUSED), server.says(REFUSED)];
        assert!(said[0].contains("sprout.yaml:6:") && said[1].contains("sprout.yaml:7:"), "{round}: {said:?}");
        if round == 0 {
            server.hang_up();
        }
    }

    server.counts("sprout_config_reload_ok", "0");
    server.counts("sprout_config_mistakes", "2");
    server.counts("sprout_config_generation", "2");
    // What is sampled and counted is there, too.
    server.counts("sprout_leader", "1");
    server.counts("sprout_workers", "0");
    server.counts("sprout_database_up", "1");
    assert!(server.metric("sprout_database_commits_total").is_some_and(|commits| commits != "0"));

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
