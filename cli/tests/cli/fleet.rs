//! What sproutctl says of workers, tasks and workflows, and what it does to them.

use std::io::{BufRead as _, BufReader};

use super::support::{Bed, timeless};

#[test]
fn tables_fit_a_terminal() {
    let bed = Bed::new();
    for (name, arguments) in [
        ("worker_list", &["worker", "list"][..]),
        ("worker_get", &["worker", "get", "w1"]),
        ("worker_tokens", &["worker", "tokens"]),
        ("task_list", &["task", "list"]),
        ("task_get", &["task", "get", "1"]),
        ("workflow_list", &["workflow", "list"]),
        ("workflow_get", &["workflow", "get", "31"]),
    ] {
        let ran = bed.staff(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 120), "{}", ran.stdout);
        insta::assert_snapshot!(format!("{name}_table"), timeless(&ran.stdout));
    }
}

#[test]
fn json_is_complete_and_stable() {
    let bed = Bed::new();
    for (name, arguments) in [
        ("worker_get", &["worker", "get", "w1", "-o", "json"][..]),
        ("task_get", &["task", "get", "2", "-o", "json"]),
        ("workflow_list", &["workflow", "list", "-o", "json"]),
        ("workflow_ping", &["workflow", "ping", "docker", "-n", "1000", "-o", "json"]),
    ] {
        insta::assert_snapshot!(format!("{name}_json"), bed.staff(arguments).stdout);
    }
}

#[test]
fn a_watched_list_comes_again() {
    let bed = Bed::new();
    let mut command = bed.command(&["worker", "list", "--watch", "-o", "json"]);
    let mut child = command.env("SPROUT_TOKEN", "staff").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.starts_with("[{\"id\":\"w1\",") && first == second, "{first} {second}");
}

#[test]
fn filters_reach_the_server() {
    let bed = Bed::new();
    bed.staff(&["task", "list", "--state", "running", "--state", "failed", "--worker", "w1", "--workflow", "31"]);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["list [3, 6] \"w1\" Some(31)"]);
    let wrong = bed.staff(&["task", "list", "--state", "gone"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("possible values: blocked, ready, running"), "{}", wrong.stderr);
}

#[test]
fn what_cannot_be_undone_needs_a_yes() {
    let bed = Bed::new();
    for (arguments, question) in [
        (&["worker", "remove", "w1"][..], "Remove worker w1 (connected, runs 2 tasks)?"),
        (&["worker", "remove", "w2"], "Remove worker w2 (silent, drained, runs 0 tasks)?"),
        (&["workflow", "cancel", "31"], "Cancel workflow 31 (deploy of appliance 12 on docker, running)?"),
        (&["workflow", "cancel", "40"], "Cancel workflow 40 (check_providers, running with its parts)?"),
    ] {
        let ran = bed.staff(arguments);
        let hint = "hint: repeat the command with --yes\n";
        assert_eq!(ran.stderr, format!("error: {question} Nobody is there to say yes\n{hint}"));
        assert_eq!(ran.code, 2);
    }
    assert!(bed.fake.asked.lock().unwrap().is_empty());
    let removed = bed.staff(&["worker", "remove", "w1", "--yes"]);
    assert_eq!((removed.code, removed.stdout.as_str()), (0, ""));
    assert_eq!(removed.stderr, "worker w1 is removed; its credentials are void, and what it ran is given to others\n");
    let cancelled = bed.staff(&["workflow", "cancel", "31", "-y"]);
    assert!(cancelled.stdout.contains("state:      cancelled\n"), "{}", cancelled.stdout);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["remove w1", "cancel workflow 31"]);
}

#[test]
fn machines_are_switched_and_deleted_by_name() {
    let bed = Bed::new();
    let nobody = bed.staff(&["machine", "delete", "docker", "old-1"]);
    let question = "Delete old-1 on docker? Nobody is there to confirm it";
    let hint = "hint: repeat the command with --confirm old-1\n";
    assert_eq!((nobody.code, nobody.stderr), (2, format!("error: {question}\n{hint}")));
    let mistyped = bed.staff(&["machine", "delete", "docker", "old-1", "--confirm", "old-2"]);
    assert!(
        mistyped.code != 0 && mistyped.stderr.contains("that is not old-1; nothing was deleted"),
        "{}",
        mistyped.stderr
    );
    assert!(bed.fake.asked.lock().unwrap().is_empty());
    for verb in ["start", "stop"] {
        let ran = bed.staff(&["machine", verb, "docker", "old-1"]);
        assert!(ran.code == 0 && ran.stdout.contains("succeeded\n"), "{} {}", ran.stdout, ran.stderr);
    }
    let failed = bed.staff(&["machine", "delete", "docker", "old-1", "--confirm", "old-1"]);
    let why = "deletion of old-1 on docker failed: stop: the engine does not answer";
    assert!(failed.code != 0 && failed.stderr.contains(why), "{}", failed.stderr);
    let asked = ["start old-1 on docker", "stop old-1 on docker", "delete old-1 on docker as old-1"];
    assert_eq!(*bed.fake.asked.lock().unwrap(), asked);
}

#[test]
fn a_join_token_is_alone_on_stdout() {
    let bed = Bed::new();
    let made = bed.staff(&["worker", "token", "w3"]);
    assert_eq!((made.code, made.stdout.as_str()), (0, "spj_test\n"));
    assert!(made.stderr.contains("--id w3 --join-token-file"), "{}", made.stderr);
    let made = bed.staff(&["worker", "token", "w3", "--expires", "1d", "-o", "json"]);
    assert!(made.stdout.contains("\"join_token\": \"spj_test\""), "{}", made.stdout);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["token w3 None", "token w3 Some(86400)"]);
}

#[test]
fn workers_are_drained_and_tasks_stopped_and_tried() {
    let bed = Bed::new();
    assert!(bed.staff(&["worker", "drain", "w1"]).stdout.contains("drained\n"));
    assert!(bed.staff(&["worker", "undrain", "w1"]).stdout.contains("connected\n"));
    assert!(bed.staff(&["task", "cancel", "1"]).stdout.contains("running, stopping\n"));
    assert_eq!(bed.staff(&["task", "retry", "2"]).code, 0);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["drain w1", "undrain w1", "cancel 1", "retry 2"]);
}

#[test]
fn mistakes_are_explained() {
    let bed = Bed::new();
    for (arguments, code, message) in [
        (
            &["worker", "get", "w9"][..],
            3,
            "error: there is no worker w9\nhint: `sproutctl worker list` shows what there is\n",
        ),
        (
            &["task", "cancel", "2"],
            6,
            "error: task 2 is not running\nhint: `sproutctl task list --state running` shows what runs; `sproutctl \
             workflow cancel ID` ends the work as a whole\n",
        ),
        (
            &["task", "retry", "1"],
            6,
            "error: task 1 does not wait for its next try\nhint: `sproutctl task list --state retrying` shows what \
             waits for its next try\n",
        ),
        (
            &["task", "get", "9"],
            3,
            "error: there is no task 9\nhint: `sproutctl task list` shows what has not ended, `--state done` what has; \
             older ones were pruned\n",
        ),
        (
            &["workflow", "ping", "nowhere"],
            3,
            "error: there is no provider nowhere\nhint: `sproutctl provider list` shows what there is\n",
        ),
    ] {
        let ran = bed.staff(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (code, message), "{arguments:?}");
    }
    let user = bed.run(&["worker", "list"]);
    assert_eq!(user.code, 4);
    assert!(user.stderr.starts_with("error: only staff may see workers\nhint: `sproutctl whoami`"), "{}", user.stderr);
    assert_eq!(bed.staff(&["workflow", "ping", "docker", "-n", "100001"]).code, 2);
    assert_eq!(bed.staff(&["workflow", "cancel", "99", "--yes"]).code, 6);
}

#[test]
fn pings_are_waited_for_over_a_restart() {
    let bed = Bed::new();
    let ran = bed.staff(&["workflow", "ping", "docker", "--count", "1000"]);
    assert_eq!(ran.stdout, "1000 pings through the workers of docker came back in 0.25 s: 4000/s\n");
    assert_eq!(ran.code, 0);
    let notes: Vec<_> = ran.stderr.lines().map(|line| &line[9..]).collect();
    assert_eq!(notes, ["connection lost (the server is restarting); reconnecting …", "connected again"]);
    let ended = bed.staff(&["workflow", "ping", "cancelled"]);
    assert_eq!(ended.code, 8);
    assert!(ended.stderr.contains("error: the ping to cancelled did not come back: someone cancelled it\nhint: "));
    let slow = bed.staff(&["workflow", "ping", "slow", "--timeout", "1s"]);
    assert_eq!(slow.code, 7);
    assert!(slow.stderr.contains("`sproutctl workflow cancel 52` ends them\n"), "{}", slow.stderr);
}

#[test]
fn all_providers_are_checked_and_each_outcome_told() {
    let bed = Bed::new();
    let begun = bed.staff(&["provider", "check"]);
    assert_eq!((begun.code, begun.stderr.as_str()), (0, "2 providers are being checked (workflow 40)\n"));
    let waited = bed.staff(&["provider", "check", "--wait"]);
    assert_eq!(waited.code, 8);
    assert!(waited.stdout.contains("docker") && waited.stdout.contains("broken"), "{}", waited.stdout);
    for said in [
        " provider docker works\n",
        " provider broken does not work: connection refused\n",
        "error: 1 of 2 providers do not work: broken\nhint: ",
    ] {
        assert_eq!(waited.stderr.matches(said).count(), 1, "{said:?} in {}", waited.stderr);
    }
}

#[test]
fn task_logs_come_once_whatever_the_connection_does() {
    let bed = Bed::new();
    let ran = bed.staff(&["task", "logs", "1", "-f"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "one\ntwo\nthree\n"));
    assert!(ran.stderr.contains("connected again"), "{}", ran.stderr);
    let json = bed.staff(&["task", "logs", "1", "-o", "json"]).stdout;
    assert_eq!(json, "{\"line\":\"one\"}\n{\"line\":\"two\"}\n{\"line\":\"three\"}\n");
    let silent = bed.staff(&["task", "logs", "3"]);
    assert_eq!((silent.code, silent.stderr.as_str()), (0, "this task has logged nothing\n"));
}

#[test]
fn unused_join_tokens_are_revoked() {
    let bed = Bed::new();
    let revoked = bed.staff(&["worker", "revoke-token", "w9"]);
    assert_eq!((revoked.code, revoked.stdout.as_str()), (0, ""));
    assert!(revoked.stderr.contains("nobody can join as worker w9"), "{}", revoked.stderr);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["revoke w9"]);
}
