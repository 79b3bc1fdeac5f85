//! How commands end: exit codes, errors and hints for everything that can go wrong.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use super::support::{Bed, ran};

#[test]
fn each_kind_of_refusal_has_its_exit_code_and_hint() {
    let bed = Bed::new();
    let cases = [
        ("400", 2, ""),
        ("401", 4, "hint: sign in with `sproutctl login NAME`, or set SPROUT_TOKEN\n"),
        ("403", 4, "hint: `sproutctl whoami` shows who you are; sign in as someone who may, or ask for the role\n"),
        ("404", 3, "hint: `sproutctl pool list` shows what there is\n"),
        ("409", 6, ""),
        ("412", 6, ""),
        ("429", 6, "hint: `sproutctl pool list` shows what you have; kill what you no longer need\n"),
        ("500", 1, "hint: the server's log says more\n"),
        ("503", 5, ""),
        ("504", 5, ""),
    ];
    for (id, code, hint) in cases {
        let ran = bed.run(&["pool", "get", id]);
        assert_eq!(ran.stderr, format!("error: pool {id} cannot be had\n{hint}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{id}");
    }
}

#[test]
fn a_server_that_is_not_there() {
    let bed = Bed::new();
    let ran = ran(bed.bare(&["--server", "http://127.0.0.1:1", "pool", "request", "good"]).output().unwrap());
    assert_eq!(
        ran.stderr,
        "error: cannot reach the server at http://127.0.0.1:1: tcp connect error: Connection refused (os error 111)\n\
         hint: is the server running? Start it with `sprout` (all in one) or `sprout-server`, or name another one with \
         --server or SPROUT_SERVER\n"
    );
    assert_eq!(ran.code, 5);
}

#[test]
fn bad_arguments_are_usage_errors() {
    let bed = Bed::new();
    for arguments in [
        &["pool", "request"][..],
        &["pool", "request", "good", "--lease", "soon"],
        &["pool", "request", "good", "-n", "-1"],
        &["pool", "request", "good", "--timeout", "5m"],
        &["pool", "get", "x"],
        &["nonsense"],
        &["--server", "nonsense", "whoami"],
        &["--server", "http://192.0.2.1", "whoami"],
    ] {
        let ran = bed.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
    assert!(bed.fake.request_ids.lock().unwrap().is_empty());
}

#[test]
fn a_config_file_with_a_typo_is_named_with_the_place() {
    let bed = Bed::new();
    fs::create_dir_all(bed.config().parent().unwrap()).unwrap();
    fs::write(bed.config(), "servr: http://127.0.0.1:1\n").unwrap();
    let ran = bed.run(&["whoami"]);
    let place = format!("{}:1:1", bed.config().display());
    assert_eq!(
        ran.stderr,
        format!(
            "error: {place}: unknown key `servr` (did you mean `server`?); known keys are: server, ca, insecure, token\n"
        )
    );
    assert_eq!(ran.code, 1);
}

#[test]
fn several_servers_are_separated_by_commas_or_given_again() {
    let bed = Bed::new();
    let (dead, server) = ("http://127.0.0.1:1".to_owned(), format!("http://{}", bed.address));
    let mut login = bed.bare(&["login", "alice", "--server", &format!("{dead},{server}")]);
    let mut child = login.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
    assert_eq!(ran(child.wait_with_output().unwrap()).code, 0);
    // The token is for each of them, and the one that is there answers.
    let calls: [&[&str]; 3] =
        [&["whoami"], &["whoami", "--server", &server], &["whoami", "--server", &server, "--server", &dead]];
    for call in calls {
        let whoami = ran(bed.bare(call).output().unwrap());
        assert_eq!(whoami.code, 0, "{call:?}: {}", whoami.stderr);
    }
    assert_eq!(ran(bed.bare(&["whoami", "--server", &dead]).output().unwrap()).code, 5);
    assert_eq!(ran(bed.bare(&["logout"]).output().unwrap()).code, 0);
    assert_eq!(ran(bed.bare(&["whoami"]).output().unwrap()).code, 4);
}

#[test]
fn logout_everywhere_says_how_many_sessions_ended_or_that_none_did() {
    let bed = Bed::new();
    let server = format!("http://{}", bed.address);
    let stranger = ran(bed.bare(&["logout", "--everywhere", "--server", &server]).output().unwrap());
    assert_eq!((stranger.code, stranger.stderr.contains("not valid")), (4, true), "{}", stranger.stderr);
    let mut child = bed.bare(&["login", "alice", "--server", &server]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
    assert_eq!(ran(child.wait_with_output().unwrap()).code, 0);
    let away = bed.bare(&["logout", "--everywhere"]).env("SPROUT_SERVER", "http://127.0.0.1:1").output().unwrap();
    assert_eq!((ran(away).code, fs::read_to_string(bed.config()).unwrap().contains("good")), (5, true));
    let done = ran(bed.bare(&["logout", "--everywhere"]).output().unwrap());
    assert!(done.code == 0 && done.stderr.contains("sessions ended: 3"), "{}", done.stderr);
    assert!(!fs::read_to_string(bed.config()).unwrap().contains("good"));
}

#[test]
fn login_keeps_the_token_for_its_server_and_logout_forgets_it() {
    let bed = Bed::new();
    let server = format!("http://{}", bed.address);
    let login = |password: &str| {
        let mut command = bed.bare(&["login", "alice", "--server", &server]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        ran(child.wait_with_output().unwrap())
    };
    let wrong = login("wrong\n");
    assert_eq!(wrong.stderr, "error: name and password do not match\nhint: check the name and the password\n");
    assert_eq!(wrong.code, 4);
    assert!(!bed.config().exists());
    assert_eq!(login("").code, 2);

    assert_eq!(login("correct horse\n").code, 0);
    assert_eq!(fs::metadata(bed.config()).unwrap().permissions().mode() & 0o777, 0o600);
    let whoami = ran(bed.bare(&["whoami"]).output().unwrap());
    assert!(whoami.stdout.starts_with("user:            alice (user)\n"), "{}{}", whoami.stdout, whoami.stderr);
    // Another address is another server, even when the same process answers there.
    let elsewhere = format!("http://localhost:{}", bed.address.port());
    assert_eq!(ran(bed.bare(&["whoami", "--server", &elsewhere]).output().unwrap()).code, 4);

    // Nor may any of several be another one.
    let mixed = format!("{server},{elsewhere}");
    assert_eq!(ran(bed.bare(&["whoami", "--server", &mixed]).output().unwrap()).code, 4);

    assert_eq!(ran(bed.bare(&["logout"]).output().unwrap()).code, 0);
    assert!(!fs::read_to_string(bed.config()).unwrap().contains("good"));
    assert_eq!(ran(bed.bare(&["whoami"]).output().unwrap()).code, 4);
}

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_request_id() {
    let bed = Bed::new();
    let done = bed.run(&["pool", "request", "lost"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let ids = bed.fake.request_ids.lock().unwrap();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]) && ids[0].len() == 36, "{ids:?}");
}

#[test]
fn waiting_ends_with_the_fate_of_the_pool() {
    let bed = Bed::new();
    let failed = bed.run(&["pool", "request", "failing", "--wait"]);
    assert!(failed.stderr.contains("error: pool 2 is failed, not ready: no template is left to try\nhint: "));
    assert_eq!((failed.code, failed.stdout.as_str()), (8, ""));
    let slow = bed.run(&["pool", "request", "slow", "--wait", "--timeout", "1s"]);
    assert!(slow.stderr.contains("error: pool 4 is not ready yet; waiting timed out\nhint: the pool goes on: "));
    assert_eq!(slow.code, 7);
    assert_eq!(bed.run(&["pool", "request", "unserved"]).code, 6);
    assert!(bed.fake.kills.lock().unwrap().is_empty());
}

#[test]
fn waiting_goes_on_after_a_lost_connection() {
    let bed = Bed::new();
    let ran = bed.run(&["pool", "request", "breaking", "--wait"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("connection lost (the server is restarting); reconnecting …\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("connected again\n"), "{}", ran.stderr);
    assert_eq!(*bed.fake.watches.lock().unwrap(), 2);
}

#[test]
fn ctrl_c_leaves_the_pool_and_says_how_to_go_on() {
    let bed = Bed::new();
    let mut child = bed.command(&["pool", "request", "slow", "--wait"]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.contains("pool 4 provisioning")));
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success());
    let rest: Vec<_> = stderr.collect();
    assert_eq!(
        rest,
        [
            "error: interrupted",
            "hint: the pool goes on: watch it with `sproutctl pool watch 4`, or end it with `sproutctl pool kill 4`"
        ]
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(bed.fake.kills.lock().unwrap().is_empty());
}

#[test]
fn a_check_is_waited_for_by_its_own_event() {
    let bed = Bed::new();
    let working = bed.run(&["provider", "check", "docker", "--wait"]);
    assert_eq!((working.code, working.stderr.as_str()), (0, "provider docker is being checked (workflow 7)\n"));
    let broken = bed.run(&["provider", "check", "broken", "--wait"]);
    assert!(broken.stderr.contains("error: provider broken does not work: engine 26.1\n"), "{}", broken.stderr);
    assert_eq!(broken.code, 8);
    let slow = bed.run(&["provider", "check", "slow", "--wait", "--timeout", "1s"]);
    assert!(slow.stderr.contains("error: the check of provider slow has not ended yet"), "{}", slow.stderr);
    assert_eq!(slow.code, 7);
    assert_eq!(bed.run(&["provider", "get", "none"]).code, 3);
}

#[test]
fn killing_needs_a_yes() {
    let bed = Bed::new();
    let unasked = bed.run(&["pool", "kill", "1"]);
    assert_eq!(
        unasked.stderr,
        "error: Kill pool 1 (2 × demo 1.2 of alice)? Nobody is there to say yes\nhint: repeat the command with --yes\n"
    );
    assert_eq!(unasked.code, 2);
    assert!(bed.fake.kills.lock().unwrap().is_empty());
    assert_eq!(bed.run(&["pool", "kill", "1", "--yes", "--wait"]).code, 0);
    assert_eq!(*bed.fake.kills.lock().unwrap(), [1]);
}

#[test]
fn a_server_that_hangs_up_does_not_hang_the_command() {
    let bed = Bed::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let child = bed.bare(&["--server", &server, "whoami"]).spawn().unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    drop(stream);
    drop(listener);
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.starts_with(&format!("error: cannot reach the server at {server}: ")), "{}", ran.stderr);
}
