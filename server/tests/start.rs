//! The program from outside: what it does with bad input, and how it ends.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of the test functions

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A directory with a configuration; `more` is added to its section.
fn configured(more: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sprout.yaml"), format!("server:\n  data_dir: data\n{more}")).unwrap();
    dir
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sprout-server"));
    command
        .arg("--config")
        .arg(dir.join("sprout.yaml"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .env_remove("SPROUT_PASSWORD")
        .stdin(Stdio::null());
    command
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

/// Runs a command that must fail, and returns what it said.
#[track_caller]
fn refused(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty() && said.lines().any(|line| line.starts_with("error: ")), "{said}");
    said
}

#[track_caller]
fn done(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits for the end of a process, but not for long.
fn end(mut child: Child) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("the server did not end");
}

#[test]
fn it_serves_until_it_is_told_to_stop() {
    let dir = configured("  listen: 127.0.0.1:0\n");
    done(dir.path(), &["migrate"]);
    for signal in ["TERM", "INT"] {
        let mut child = command(dir.path(), &[]).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(log.any(|line| line.unwrap().contains("listening on http://127.0.0.1:")), "it never listened");
        // What else it says must not fill the pipe.
        let rest = thread::spawn(move || log.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
        assert!(Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap().success());
        assert_eq!(end(child), Some(0), "after SIG{signal}");
        assert!(rest.join().unwrap().contains("stopped"));
    }
}

#[test]
fn a_database_that_is_not_current_is_refused_with_the_command_to_run() {
    let dir = configured("  listen: 127.0.0.1:0\n");
    assert!(refused(dir.path(), &["run"]).contains("create it"), "no directory yet");
    assert_eq!(names(dir.path()), ["sprout.yaml"], "nothing is left behind");
    fs::create_dir(dir.path().join("data")).unwrap();
    assert!(refused(dir.path(), &["run"]).contains("sprout-server migrate"));
    fs::write(dir.path().join("data/sprout.db"), "").unwrap();
    assert!(refused(dir.path(), &["run"]).contains("sprout-server migrate"));
}

#[test]
fn a_port_that_is_taken_is_told_and_nothing_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = configured(&format!("  listen: {}\n", taken.local_addr().unwrap()));
    let said = refused(dir.path(), &[]);
    assert!(said.contains("cannot listen on 127.0.0.1:") && said.contains("hint: another program"), "{said}");
    assert_eq!(names(dir.path()), ["sprout.yaml"]);
}

#[test]
fn what_cannot_be_written_is_told_and_nothing_is_left() {
    let dir = configured("");
    fs::write(dir.path().join("data"), "a file").unwrap();
    let said = refused(dir.path(), &["migrate"]);
    assert!(said.contains("/data cannot be made") && said.contains("hint: set server.data_dir"), "{said}");

    let dir = configured("  logs: logs\n  listen: 127.0.0.1:0\n");
    done(dir.path(), &["migrate"]);
    fs::write(dir.path().join("logs"), "a file").unwrap();
    let said = refused(dir.path(), &[]);
    assert!(said.contains("logs cannot be written") && said.contains("hint: set server.logs"), "{said}");
}

#[test]
fn bad_configuration_is_told_all_at_once() {
    let dir = configured(
        "  listen: 0.0.0.0:0\n  log: '!x=y='\n  groups:\n    a: {template_pattern: '('}\n    b: {template_pattern: x}\n",
    );
    let said = refused(dir.path(), &[]);
    assert_eq!(said.lines().count(), 4, "{said}");
    for part in ["server.listen: ", "server.log: ", ":6:27: server.groups.a.template_pattern: ", "(?<version>"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    fs::remove_file(dir.path().join("sprout.yaml")).unwrap();
    assert!(refused(dir.path(), &[]).contains("file not found"));
}

#[test]
fn certificates_that_cannot_be_used_are_told() {
    let dir = configured("  listen: 0.0.0.0:0\n  tls: {cert: c.pem, key: k.pem}\n");
    assert!(refused(dir.path(), &[]).contains("c.pem: cannot be read"));
    fs::write(dir.path().join("c.pem"), "x").unwrap();
    fs::write(dir.path().join("k.pem"), "x").unwrap();
    let said = refused(dir.path(), &[]);
    assert!(said.contains("cannot be used") && said.contains("hint: both must be PEM"), "{said}");
    assert_eq!(names(dir.path()), ["c.pem", "k.pem", "sprout.yaml"]);
}

#[test]
fn users_and_workers_are_made_from_the_command_line() {
    let dir = configured("");
    done(dir.path(), &["migrate"]);
    done(dir.path(), &["migrate"]);
    let create = |password: &str| {
        let mut child = command(dir.path(), &["create-superuser", "--name", "root", "--password-stdin"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(create("short").1.contains("error: a password has at least 8 characters"));
    assert!(create("correct horse").0);
    assert!(create("correct horse").1.contains("error: there is a user root already"));
    let said = refused(dir.path(), &["create-superuser", "--name", "other"]);
    assert!(said.contains("not a terminal") && said.contains("--password-stdin"), "{said}");
    let said = refused(dir.path(), &["create-superuser", "--password-stdin"]);
    assert!(said.contains("no name was given"), "{said}");
    let token = done(dir.path(), &["create-worker", "lab-1"]);
    assert!(token.starts_with("spj_") && token.lines().count() == 1);
    let said = refused(dir.path(), &["create-worker", "lab-1", "--expires", "8d"]);
    assert!(said.contains("at most 7 days"), "{said}");
    assert!(refused(dir.path(), &["create-worker", "lab 1"]).contains("a worker id has"));
}

#[test]
fn a_superuser_is_made_by_the_environment_and_only_if_there_is_none() {
    let dir = configured("");
    done(dir.path(), &["migrate"]);
    let create = |more: &[&str]| {
        let arguments = [&["create-superuser", "--name", "root"], more].concat();
        let output = command(dir.path(), &arguments).env("SPROUT_PASSWORD", "correct horse").output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (made, said) = create(&["--if-missing"]);
    assert!(made && said.contains("superuser root is created"), "{said}");
    let (fine, said) = create(&["--if-missing"]);
    assert!(fine && said.contains("there is a user root already, who is left as is"), "{said}");
    let (fine, said) = create(&[]);
    assert!(!fine && said.contains("error: there is a user root already"), "{said}");
}

/// Types answers to questions at a terminal; returns whether the program was content, and all it said.
fn typed(dir: &Path, answers: &[(&str, &str)]) -> (bool, String) {
    let mut terminal = rexpect::session::spawn_command(command_at_terminal(dir), Some(20_000)).unwrap();
    let mut said = String::new();
    for (question, answer) in answers {
        said += &terminal.exp_string(question).unwrap();
        terminal.send_line(answer).unwrap();
    }
    said += &terminal.exp_eof().unwrap();
    let status = terminal.process().wait().unwrap();
    (format!("{status:?}").ends_with(", 0)"), said)
}

fn command_at_terminal(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sprout-server"));
    command.arg("--config").arg(dir.join("sprout.yaml")).arg("create-superuser");
    command.env_remove("RUST_LOG").env_remove("SPROUT_PASSWORD");
    command
}

#[test]
fn a_superuser_is_made_by_answering_at_a_terminal() {
    let dir = configured("");
    done(dir.path(), &["migrate"]);
    let (fine, said) =
        typed(dir.path(), &[("Name: ", "root"), ("Password: ", "correct horse"), ("Again: ", "wrong horse")]);
    assert!(!fine && said.contains("the two are not the same"), "{said}");
    let (fine, said) = typed(dir.path(), &[("Name: ", "root"), ("Password: ", "short")]);
    assert!(!fine && said.contains("at least 8 characters"), "{said}");
    let (fine, said) =
        typed(dir.path(), &[("Name: ", "root"), ("Password: ", "correct horse"), ("Again: ", "correct horse")]);
    assert!(fine && said.contains("superuser root is created"), "{said}");
    assert!(!said.contains("correct horse"), "the password is not to be seen: {said}");
    let (fine, said) = typed(dir.path(), &[("Name: ", "r oot")]);
    assert!(!fine && said.contains("a user name has"), "{said}");
}
