//! What is done with pools besides requesting them: found, described, cloned, merged, given away, ended together.

use super::support::Bed;

#[test]
fn what_was_changed_is_shown() {
    let bed = Bed::new();
    for (arguments, shown, said) in [
        (&["pool", "describe", "1", "nightly run"][..], "description:  nightly run\n", ""),
        (&["pool", "transfer", "1", "bob"], "owner:        bob\n", "pool 1 belongs to bob now\n"),
        (&["pool", "merge", "1", "2", "--yes"], "ready:        4 of 4", "pool 2 is part of pool 1 now\n"),
        (&["pool", "clone", "2", "-n", "2"], "pool:         1\n", "pool 1: 2 × demo 1.2 requested, like pool 2\n"),
        (&["pool", "clone", "3"], "pool:         1\n", "like pool 3 (this request was made before)\n"),
        (&["pool", "find", "test"], "a test", ""),
        (&["pool", "extend", "1", "2h"], "pool:         1\n", ""),
    ] {
        let ran = bed.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stdout.contains(shown), "{arguments:?}: {}", ran.stdout);
        assert!(
            ran.stderr.ends_with(said) && ran.stderr.is_empty() == said.is_empty(),
            "{arguments:?}: {}",
            ran.stderr
        );
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ran.stdout);
        let json = bed.run(&[arguments, &["-o", "json"]].concat()).stdout;
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{arguments:?}: {json}");
    }
    assert!(bed.fake.asked.lock().unwrap().contains(&"merge 2 into 1".to_owned()));
}

#[test]
fn a_clone_is_waited_for_like_a_request() {
    let bed = Bed::new();
    let ready = bed.run(&["pool", "clone", "1", "--wait", "-o", "json"]);
    assert_eq!(ready.code, 0, "{}", ready.stderr);
    let pool: serde_json::Value = serde_json::from_str(&ready.stdout).unwrap();
    assert_eq!(pool["state"], "ready");
    assert!(ready.stderr.contains("pool 1 provisioning: 1 of 2 ready (50 %)"), "{}", ready.stderr);
    let late = bed.run(&["pool", "clone", "4", "--wait", "--timeout", "1s"]);
    assert_eq!(late.code, 7);
    assert!(late.stderr.contains("error: pool 4 is not ready yet; waiting timed out\nhint: the pool goes on"));
    assert_eq!(bed.run(&["pool", "clone", "1", "--timeout", "1s"]).code, 2, "what is not waited for takes no time");
    let ids = bed.fake.request_ids.lock().unwrap();
    assert!(ids.len() == 2 && ids[0] != ids[1] && ids[0].len() == 36, "each has an id of its own: {ids:?}");
}

#[test]
fn refusals_say_what_to_do() {
    let bed = Bed::new();
    for (arguments, code, error, hint) in [
        (&["pool", "merge", "1", "412", "--yes"][..], 6, "differ in version: 1.2 and 1.1", ""),
        (&["pool", "transfer", "1", "bop"], 3, "there is no user bop; check the spelling", "`sproutctl user list`"),
        (&["pool", "why", "404"], 3, "pool 404 cannot be had", "`sproutctl pool list`"),
        (&["pool", "clone", "404"], 3, "pool 404 cannot be had", "`sproutctl pool list`"),
        (&["pool", "describe", "401", "x"], 4, "pool 401 cannot be had", "sproutctl login NAME"),
        (&["pool", "extend", "1"], 2, "<LEASE>", "--help"),
        (&["pool", "extend", "1", "2 hours"], 2, "write a duration such as 90m, 2h, 1h30m or 1d", "--help"),
        (&["pool", "extend", "1", "-1h"], 2, "-1", "--help"),
        (&["pool", "merge", "1"], 2, "<SOURCE>", "--help"),
        (&["pool", "transfer", "1"], 2, "<OWNER>", "--help"),
        (&["pool", "describe", "1"], 2, "<DESCRIPTION>", "--help"),
    ] {
        let ran = bed.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(error) && ran.stderr.contains(hint), "{arguments:?}: {}", ran.stderr);
        assert!(!hint.is_empty() || !ran.stderr.contains("hint:"), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn what_ends_pools_needs_a_yes() {
    let bed = Bed::new();
    for (arguments, question) in [
        (&["pool", "kill-all"][..], "Kill all your pools?"),
        (&["pool", "kill-all", "--owner", "bob"], "Kill all pools of bob?"),
        (&["pool", "merge", "1", "2"], "Move all appliances of pool 2 into pool 1, and end pool 2?"),
    ] {
        let ran = bed.run(arguments);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.starts_with(&format!("error: {question} Nobody is there to say yes\n")), "{}", ran.stderr);
    }
    assert!(bed.fake.asked.lock().unwrap().is_empty());
    let all = bed.run(&["pool", "kill-all", "--yes"]);
    assert_eq!(all.code, 0);
    assert!(all.stdout.contains("ending"), "{}", all.stdout);
    let none = bed.run(&["pool", "kill-all", "--owner", "nobody", "--yes"]);
    assert_eq!((none.code, none.stdout.as_str(), none.stderr.as_str()), (0, "", "no pools\n"));
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["kill all of None", "kill all of Some(\"nobody\")"]);
}

#[test]
fn what_happened_is_listed() {
    let bed = Bed::new();
    let table = bed.run(&["pool", "events", "1"]);
    assert_eq!((table.code, table.stderr.as_str()), (0, ""));
    assert!(table.stdout.contains("pool 1 is ready"), "{}", table.stdout);
    let all = bed.run(&["event", "list", "--kind", "pool_state", "--kind", "leak"]).stdout;
    assert!(all.contains("pool 1 is ready") && all.lines().count() == 2, "{all}");
    let json = bed.run(&["pool", "events", "1", "-o", "json"]).stdout;
    let events: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&events[0]["kind"], &events[0]["state"]), (&"pool_state".into(), &"ready".into()));
}
