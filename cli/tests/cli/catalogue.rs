//! What sproutctl says of catalogues, and what it does to them.

use super::support::Bed;

#[test]
fn what_was_found_is_shown() {
    let bed = Bed::new();
    let ran = bed.staff(&["catalogue", "status"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Without the moments, which depend on when this runs.
    let told: Vec<_> = ran.stdout.lines().map(|line| line.split(" (since ").next().unwrap_or(line)).collect();
    assert_eq!(
        told.iter().filter(|line| !line.starts_with("changed:")).copied().collect::<Vec<_>>(),
        [
            "catalogues were never read",
            "",
            "catalogue:       hubber",
            "templates:       120, of which 100 may be used",
            "failure:         page 3: it answers with status 500 Internal Server Error",
            "not understood:  3",
            "  x-1 on lab: it matches several rules: a, b",
            "  and 2 more",
            "",
            "provider:        docker",
            "templates:       2, of which 2 may be used",
            "not understood:  1",
            "  postgres:16: no rule matches it",
        ]
    );
    let ran = bed.staff(&["catalogue", "status", "-o", "json"]);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["sources"][0]["problems"][0]["kind"], "two_rules");
    assert_eq!(found["sources"][0]["kind"], "catalogue");
}

#[test]
fn names_are_read_and_reading_is_asked_for() {
    let bed = Bed::new();
    let ran = bed.staff(&["catalogue", "name", "cfme-59022-0101", "other"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("downstream-59z") && ran.stdout.contains("there is no such group"), "{}", ran.stdout);
    assert!(ran.stdout.contains("no rule matches it"), "{}", ran.stdout);
    let ran = bed.staff(&["catalogue", "sync"]);
    assert!(ran.code == 0 && ran.stdout.contains("catalogue-sync"), "{} {}", ran.stdout, ran.stderr);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["run provider-check"]);
}
