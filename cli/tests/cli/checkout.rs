//! `sproutctl checkout`: what the command gets, how it ends, and that nothing is left.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command},
};

use super::support::{Bed, Ran, ran};

const LASTING: [&str; 5] = ["checkout", "lasting", "-n", "2", "--"];

fn with<'a>(first: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    [first, rest].concat()
}

impl Bed {
    /// Runs `sh -c` with two appliances.
    fn shell(&self, script: &str) -> Ran {
        self.run(&with(&LASTING, &["sh", "-c", script]))
    }

    fn killed(&self) -> Vec<u64> {
        std::mem::take(&mut self.fake.kills.lock().unwrap())
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap().success());
}

#[test]
fn the_command_finds_its_appliances() {
    let bed = Bed::new();
    let done = bed.shell(r#"printf '%s\n' "$SPROUT_APPLIANCES" "$SPROUT_POOL_ID" "$SPROUT_APPLIANCE_0_ADDRESS" "$SPROUT_APPLIANCE_1_NAME" "${SPROUT_APPLIANCE_0_URL-unset}" "${SPROUT_APPLIANCE_2_NAME-none}""#);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let lines: Vec<_> = done.stdout.lines().collect();
    let appliances: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    let pool: serde_json::Value = serde_json::from_str(&bed.run(&["pool", "get", "5", "-o", "json"]).stdout).unwrap();
    assert_eq!(appliances, pool["appliances"], "the same objects as elsewhere");
    assert_eq!(lines[1..], ["5", "127.0.0.1", "sprout-demo-11", "", "none"]);
    assert!(done.stderr.starts_with("pool 5: 2 × demo 1.2 requested\n"), "{}", done.stderr);
    assert!(done.stderr.contains("pool 5 ready: 2 of 2 ready"), "{}", done.stderr);
    assert_eq!(bed.killed(), [5]);
}

#[test]
fn variables_of_a_checkout_around_this_one_are_gone() {
    let bed = Bed::new();
    let mut command = bed.command(&with(&LASTING, &["sh", "-c", "echo ${SPROUT_APPLIANCE_7_NAME-none}"]));
    assert_eq!(ran(command.env("SPROUT_APPLIANCE_7_NAME", "old").output().unwrap()).stdout, "none\n");
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let bed = Bed::new();
    let failed = bed.shell("echo why >&2; exit 42");
    assert_eq!(failed.code, 42);
    assert!(failed.stderr.ends_with("why\n"), "the command has said enough: {}", failed.stderr);
    assert_eq!(bed.shell("kill -KILL $$").code, 128 + 9);
    assert_eq!(bed.killed(), [5, 5]);
}

#[test]
fn a_command_that_cannot_run_is_told_and_nothing_is_left() {
    let bed = Bed::new();
    let none = bed.run(&with(&LASTING, &["no-such-program-here"]));
    assert!(none.stderr.ends_with(
        "error: no-such-program-here cannot be run: No such file or directory (os error 2)\nhint: check its name, and PATH\n"
    ));
    assert_eq!(none.code, 127);
    let directory = bed.run(&with(&LASTING, &["/"]));
    assert!(directory.stderr.contains("error: / cannot be run: Permission denied"), "{}", directory.stderr);
    assert_eq!(directory.code, 126);
    assert_eq!(bed.killed(), [5, 5]);
}

#[test]
fn what_makes_no_sense_asks_for_nothing() {
    let bed = Bed::new();
    for arguments in [
        &["checkout"][..],
        &["checkout", "lasting", "-n", "0"],
        &["checkout", "lasting", "true"],
        &["checkout", "lasting", "--hold-on-failure", "2h"],
        &["checkout", "lasting", "--populate-yaml", "/nowhere/env.yaml", "--", "true"],
    ] {
        let ran = bed.run(arguments);
        assert_ne!(ran.code, 0, "{arguments:?}");
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
    assert!(bed.fake.request_ids.lock().unwrap().is_empty());
}

#[test]
fn a_pool_that_fails_has_no_command_run() {
    let bed = Bed::new();
    let failed = bed.run(&["checkout", "failing", "--", "echo", "run"]);
    assert!(failed.stderr.contains("error: pool 2 is failed, not ready: no template is left to try\nhint: "));
    assert_eq!((failed.code, failed.stdout.as_str()), (8, ""));
    assert_eq!(bed.run(&["checkout", "unserved", "--", "echo", "run"]).code, 6);
    let late = bed.run(&["checkout", "slow", "--timeout", "1s", "--", "echo", "run"]);
    assert!(late.stderr.contains("error: pool 4 is not ready yet; waiting timed out\n"), "{}", late.stderr);
    assert_eq!((late.code, late.stdout.as_str()), (7, ""));
    assert_eq!(bed.killed(), [4], "what failed needs no end");
}

#[test]
fn waiting_goes_on_after_a_lost_connection() {
    let bed = Bed::new();
    let ran = bed.run(&["checkout", "breaking", "--", "true"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("connection lost (the server is restarting); reconnecting …\n"), "{}", ran.stderr);
    assert_eq!(bed.killed(), [3]);
}

#[test]
fn a_signal_while_it_waits_ends_the_request() {
    let bed = Bed::new();
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut child = bed.command(&["checkout", "slow", "--", "echo", "run"]).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(stderr.any(|line| line.contains("pool 4 provisioning")));
        signal(&child, name);
        let rest: Vec<_> = stderr.collect();
        assert_eq!(
            rest,
            ["interrupted; ending pool 4, once more leaves it", "error: interrupted; pool 4 is ended"],
            "{name}"
        );
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(bed.killed(), [4]);
    }
}

#[test]
fn a_second_signal_says_what_is_left() {
    let bed = Bed::new();
    bed.fake.asked.lock().unwrap().push("kills hang".to_owned());
    let mut child = bed.command(&["checkout", "slow", "--", "echo", "run"]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.contains("pool 4 provisioning")));
    signal(&child, "INT");
    assert!(stderr.any(|line| line == "interrupted; ending pool 4, once more leaves it"));
    signal(&child, "INT");
    let rest: Vec<_> = stderr.collect();
    assert_eq!(
        rest,
        [
            "error: interrupted; pool 4 may be left",
            "hint: it ends by itself when its lease does; `sproutctl pool kill 4` ends it now"
        ]
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn the_command_gets_the_signals() {
    let bed = Bed::new();
    for (name, code) in [("INT", 31), ("TERM", 32), ("HUP", 33)] {
        let script = "trap 'kill $!; exit 31' INT; trap 'kill $!; exit 32' TERM; trap 'kill $!; exit 33' HUP; \
                      sleep 600 & echo up; wait $!";
        let mut child = bed.command(&with(&LASTING, &["sh", "-c", script])).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(stdout.next().as_deref(), Some("up"));
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
        assert_eq!(bed.killed(), [5]);
    }
}

#[test]
fn a_command_that_does_not_listen_is_killed_by_the_third() {
    let bed = Bed::new();
    let script = "trap '' INT TERM; echo up; while :; do sleep 1; done";
    let mut child = bed.command(&with(&LASTING, &["sh", "-c", script])).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(stdout.next().as_deref(), Some("up"));
    signal(&child, "INT");
    signal(&child, "TERM");
    assert!(stderr.any(|line| line == "the command still runs; once more kills it"));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(128 + 9));
    assert_eq!(bed.killed(), [5]);
}

#[test]
fn without_a_command_it_stays_until_a_signal() {
    let bed = Bed::new();
    for name in ["INT", "TERM"] {
        let mut child = bed.command(&["checkout", "-g", "lasting", "-n", "2", "-o", "json"]).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(stderr.any(|line| line == "they are yours until Ctrl-C, which gives them back"));
        assert!(bed.killed().is_empty());
        signal(&child, name);
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(0));
        let appliances: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(appliances[1]["name"], "sprout-demo-11");
        assert_eq!(bed.killed(), [5]);
    }
    // This one is ended by somebody else.
    let over = bed.run(&["checkout", "good"]);
    assert!(over.stderr.contains("error: pool 1 is over: it was killed, or its lease ended\n"), "{}", over.stderr);
    assert_eq!(over.code, 8);
}

#[test]
fn a_file_has_the_appliances_while_the_command_runs() {
    let bed = Bed::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("env.local.yaml");
    let (name, original) = (file.to_str().unwrap(), "# mine\nbase_url: x\n");
    fs::write(&file, original).unwrap();
    let arguments = ["checkout", "lasting", "-n", "2", "--populate-yaml", name, "--", "cat", name];
    let done = bed.run(&arguments);
    assert_eq!(
        done.stdout,
        "# mine\nbase_url: x\n\
         # Written by `sproutctl checkout`; until its end env.local.yaml.sprout-backup holds what was here.\n\
         appliances:\n- hostname: \"127.0.0.1\"\n  ui_protocol: https\n  version: \"1.2\"\n\
         - hostname: \"127.0.0.1\"\n  ui_protocol: https\n  version: \"1.2\"\n",
        "{}",
        done.stderr
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), original);
    fs::remove_file(&file).unwrap();
    assert!(bed.run(&arguments).stdout.contains("appliances:\n"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "there was nothing before");
}
