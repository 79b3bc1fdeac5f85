//! What is done with single appliances: looked at, operated, held, ended.

use super::support::Bed;

/// Verbs that begin an operation, with what they need beside the appliance, and what the server is asked.
const OPERATIONS: [(&str, &[&str], &str); 9] = [
    ("start", &[], "start 12"),
    ("stop", &[], "stop 12"),
    ("suspend", &[], "suspend 12"),
    ("resume", &[], "resume 12"),
    ("reboot", &[], "reboot 12"),
    ("rename", &["db-1"], "rename to db-1 12"),
    ("reset", &["--yes"], "reset 12"),
    ("attach-disk", &["64"], "attach 64 12"),
    ("detach-disk", &[], "detach disk 12"),
];

#[test]
fn operations_are_followed_to_their_end_across_a_restart_of_the_server() {
    for (verb, arguments, asked) in OPERATIONS {
        let bed = Bed::new();
        let ran = bed.run(&[&["appliance", verb, "12", "-o", "json"], arguments].concat());
        assert_eq!(ran.code, 0, "{verb}: {}", ran.stderr);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()["id"], 12, "{verb}");
        for said in ["stop: asking it to end\n", "connection lost (the server is restarting)", "connected again\n"] {
            assert!(ran.stderr.contains(said), "{verb}: {}", ran.stderr);
        }
        assert_eq!(*bed.fake.asked.lock().unwrap(), [asked], "{verb}");
    }
}

#[test]
fn operations_that_need_no_waiting_do_not_wait() {
    for (verb, arguments, _) in OPERATIONS {
        let bed = Bed::new();
        let begun = bed.run(&[&["appliance", verb, "12", "--no-wait"], arguments].concat());
        assert_eq!(begun.code, 0, "{verb}: {}", begun.stderr);
        assert!(begun.stderr.contains("is under way as workflow 60"), "{verb}: {}", begun.stderr);
        let done = bed.run(&[&["appliance", verb, "14"], arguments].concat());
        assert_eq!(done.stderr, "sprout-demo-14 is so already: there was nothing to do\n", "{verb}");
        assert_eq!((done.code, *bed.fake.watches.lock().unwrap()), (0, 0), "{verb}");
    }
}

#[test]
fn operations_that_cannot_be_say_why() {
    for (verb, arguments, _) in OPERATIONS {
        let bed = Bed::new();
        let run = |id| bed.run(&[&["appliance", verb, id], arguments].concat());
        let unsupported = run("15");
        assert_eq!((unsupported.code, unsupported.stdout.as_str()), (6, ""), "{verb}");
        // The sentence names the command; the server is not older for it.
        let says =
            "error: provider docker cannot do that; use an appliance on another one (see `sproutctl provider list`)\n";
        assert_eq!(unsupported.stderr, says, "{verb}");
        let gone = run("13");
        assert_eq!(gone.code, 6, "{verb}");
        assert!(gone.stderr.starts_with("error: sprout-demo-13 is gone"), "{verb}: {}", gone.stderr);
        let unknown = run("404");
        assert_eq!(unknown.code, 3, "{verb}");
        let hint = "error: you have no appliance 404\nhint: `sproutctl appliance list` shows what there is\n";
        assert_eq!(unknown.stderr, hint, "{verb}");
        let failed = run("16");
        assert_eq!(failed.code, 8, "{verb}");
        assert!(
            failed.stderr.contains("of sprout-demo-16 failed: stop: the engine does not answer\nhint: "),
            "{verb}: {}",
            failed.stderr
        );
    }
}

#[test]
fn appliances_are_found_by_id_name_and_address() {
    let bed = Bed::new();
    for typed in ["12", "sprout-demo-12", "192.0.2.7"] {
        let ran = bed.run(&["appliance", "get", typed, "-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()["id"], 12, "{typed}");
    }
    assert_eq!(bed.run(&["appliance", "get", "sprout-demo-404"]).code, 3);
    assert_eq!(bed.run(&["appliance", "get"]).code, 2);
    let list = bed.run(&["appliance", "list", "--pool", "7"]);
    assert_eq!(list.code, 0);
    assert!(list.stdout.lines().all(|line| line.chars().count() <= 100), "{}", list.stdout);
    bed.run(&["appliance", "list", "--warm"]);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["pool Some(7), warm false", "pool None, warm true"]);
}

#[test]
fn holds_have_a_reason_and_an_end() {
    let bed = Bed::new();
    let held = bed.run(&["appliance", "hold", "12", "--reason", "a crash", "--for", "2d"]);
    assert_eq!(held.code, 0, "{}", held.stderr);
    assert!(held.stdout.contains("held until:  in ") && held.stdout.contains(": a crash\n"), "{}", held.stdout);
    assert!(held.stderr.contains("`sproutctl appliance unhold 12` when you are done"), "{}", held.stderr);
    assert_eq!(bed.run(&["appliance", "unhold", "12"]).code, 0);
    let limit = bed.run(&["appliance", "hold", "16", "--reason", "a crash"]);
    assert_eq!(limit.code, 6);
    assert!(
        limit.stderr.contains("unhold one first\nhint: ") && limit.stderr.contains("held_until"),
        "{}",
        limit.stderr
    );
    assert_eq!(bed.run(&["appliance", "hold", "12"]).code, 2, "there is no hold without a reason");
    assert_eq!(bed.run(&["appliance", "hold", "12", "--reason", "x", "--for", "2 days"]).code, 2);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["hold 12 for Some(172800)"]);
}

#[test]
fn leases_descriptions_screens_and_logs() {
    let bed = Bed::new();
    assert_eq!(bed.run(&["appliance", "extend", "12", "90m"]).code, 0);
    let never = bed.run(&["appliance", "extend", "12", "--never"]);
    assert_eq!(never.code, 4);
    assert!(never.stderr.contains("hint: `sproutctl whoami`"), "{}", never.stderr);
    let described = bed.run(&["appliance", "describe", "12", "the good one"]);
    assert!(described.stdout.contains("the good one"), "{}", described.stdout);
    assert_eq!(bed.run(&["appliance", "console", "12"]).stdout, "vnc://192.0.2.1:5901\n");
    assert_eq!(bed.run(&["appliance", "console", "15"]).code, 6);
    assert_eq!(bed.run(&["appliance", "logs", "12"]).stdout, "clone: done\nstart: done\n");
    let events = bed.run(&["appliance", "events", "12", "-o", "json"]).stdout;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&events).unwrap()[0]["appliance_id"], 12);
    let watched = bed.run(&["appliance", "watch", "12", "-o", "json"]);
    assert_eq!((watched.code, watched.stdout.lines().count()), (0, 3));
    assert!(watched.stdout.lines().last().unwrap().contains("\"state\":\"gone\""), "{}", watched.stdout);
}

#[test]
fn what_deletes_needs_a_yes() {
    let bed = Bed::new();
    for (verb, question) in [
        ("kill", "Kill appliance 12 (sprout-demo-12, ready)?"),
        ("reset", "Delete all there is of appliance 12 (sprout-demo-12), and deploy it anew?"),
    ] {
        let ran = bed.run(&["appliance", verb, "12"]);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.starts_with(&format!("error: {question} Nobody is there to say yes\n")), "{}", ran.stderr);
    }
    assert!(bed.fake.asked.lock().unwrap().is_empty());
    assert_eq!(bed.run(&["appliance", "kill", "12", "--yes"]).code, 0);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["kill 12"]);
}
