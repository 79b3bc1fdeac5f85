//! What sproutctl says of jobs, and what it does to them.

use super::support::Bed;

#[test]
fn jobs_are_listed_run_paused_and_resumed() {
    let bed = Bed::new();
    let listed = bed.staff(&["job", "list"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(listed.stdout.contains("orphans") && listed.stdout.contains("paused"), "{}", listed.stdout);
    assert!(listed.stdout.contains("done") && listed.stdout.contains("3 providers"), "{}", listed.stdout);
    for verb in ["pause", "resume", "run"] {
        let ran = bed.staff(&["job", verb, "provider-check", "-o", "json"]);
        assert_eq!(ran.code, 0, "{verb}: {}", ran.stderr);
        assert!(ran.stdout.contains("\"name\": \"provider-check\""), "{}", ran.stdout);
    }
    assert_eq!(
        *bed.fake.asked.lock().unwrap(),
        ["pause provider-check", "resume provider-check", "run provider-check"]
    );
}

#[test]
fn a_run_can_be_waited_for() {
    let bed = Bed::new();
    let ran = bed.staff(&["job", "run", "provider-check", "--wait"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("3 providers are being checked"), "{}", ran.stdout);
}

#[test]
fn history_and_hints() {
    let bed = Bed::new();
    let ran = bed.staff(&["job", "history", "provider-check"]);
    assert!(ran.code == 0 && ran.stdout.contains("the database is away"), "{} {}", ran.stdout, ran.stderr);
    let ran = bed.staff(&["job", "pause", "nothing"]);
    assert!(ran.code != 0 && ran.stderr.contains("sproutctl job list"), "{}", ran.stderr);
}
