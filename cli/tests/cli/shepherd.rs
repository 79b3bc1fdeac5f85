//! What sproutctl says of what is kept warm, and what it asks for.

use super::support::Bed;

#[test]
fn tables_fit_a_terminal() {
    let bed = Bed::new();
    for (name, arguments) in [
        ("list", &["shepherd", "list"][..]),
        ("set", &["shepherd", "set", "demo", "--preconfigured", "3"]),
        ("plan", &["shepherd", "plan", "demo", "--preconfigured", "7"]),
    ] {
        let ran = bed.staff(arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 140), "{}", ran.stdout);
        insta::assert_snapshot!(format!("{name}_table"), format!("{}---\n{}", ran.stdout, ran.stderr));
    }
}

#[test]
fn json_is_complete_and_stable() {
    let bed = Bed::new();
    insta::assert_snapshot!("list_json", bed.staff(&["shepherd", "list", "-o", "json"]).stdout);
    insta::assert_snapshot!("plan_json", bed.staff(&["shepherd", "plan", "demo", "--max", "7", "-o", "json"]).stdout);
}

#[test]
fn all_that_is_typed_reaches_the_server() {
    let bed = Bed::new();
    let all = ["shepherd", "set", "demo", "--for", "qe", "--unconfigured", "2", "--max", "9", "--min", "1", "--window"];
    let ran = bed.staff(&[&all[..], &["sun@22:00-06:00=4"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let asked = bed.fake.asked.lock().unwrap().concat();
    for part in [
        "user_group: \"qe\"",
        "unconfigured: 2",
        "min: 1, max: 9",
        "days: [7], from_minute: 1320, to_minute: 360, min: 4",
    ] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_hint() {
    let bed = Bed::new();
    assert_eq!(bed.staff(&["shepherd", "set", "demo"]).code, 2);
    assert_eq!(bed.staff(&["shepherd", "set", "demo", "--preconfigured", "1", "--max", "2"]).code, 2);
    let unknown = bed.staff(&["shepherd", "set", "other", "--preconfigured", "1"]);
    assert_eq!(unknown.code, 3);
    assert!(unknown.stderr.contains("hint: `sproutctl group list`"), "{}", unknown.stderr);
}

#[test]
fn setting_waits_until_as_many_are_warm() {
    let bed = Bed::new();
    let set = |user_group: &str| {
        bed.staff(&[
            "shepherd",
            "set",
            "demo",
            "--for",
            user_group,
            "--preconfigured",
            "3",
            "--wait",
            "--timeout",
            "3s",
        ])
    };
    let warm = set("waiting");
    assert_eq!(warm.code, 0, "{}", warm.stderr);
    assert!(warm.stdout.contains("warm:          3 of 3"), "{}", warm.stdout);
    for said in ["demo: 1 of 3 (1 coming) are warm – docker is full", "connection lost", "connected again"] {
        assert!(warm.stderr.contains(said), "{}", warm.stderr);
    }
    let late = set("full");
    assert_eq!(late.code, 7);
    assert!(
        late.stderr.contains("error: not all of demo are warm yet; waiting timed out\nhint: it goes on"),
        "{}",
        late.stderr
    );
    let gone = set("forgotten");
    assert_eq!(gone.code, 8);
    assert!(gone.stderr.contains("somebody else set meanwhile"), "{}", gone.stderr);
}
