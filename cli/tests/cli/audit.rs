//! Who changed what, who used how much, and numbers over time.

use super::support::Bed;

#[test]
fn records_as_table_and_json() {
    let bed = Bed::new();
    insta::assert_snapshot!("audit_list_table", bed.run(&["audit", "list"]).stdout);
    insta::assert_snapshot!("audit_list_json", bed.run(&["audit", "list", "--refused", "-o", "json"]).stdout);
}

#[test]
fn records_are_filtered() {
    let bed = Bed::new();
    let lines = |arguments: &[&str]| bed.run(&[&["audit", "list"], arguments].concat()).stdout.lines().count();
    assert_eq!(lines(&["--user", "alice"]), 2);
    assert_eq!(lines(&["--method", "Login"]), 2);
    assert_eq!(bed.run(&["audit", "list", "--since", "1h"]).stderr, "no records\n");
}

#[test]
fn usage_by_what_is_asked() {
    let bed = Bed::new();
    insta::assert_snapshot!("usage_table", bed.run(&["usage", "--by", "day,user-group"]).stdout);
    insta::assert_snapshot!("usage_json", bed.run(&["usage", "-o", "json"]).stdout);
    assert_eq!(bed.run(&["usage", "--by", "moon"]).code, 2);
}

#[test]
fn numbers_over_time_fit_a_terminal() {
    let bed = Bed::new();
    let table = bed.run(&["stats", "--since", "30m", "--step", "10m"]).stdout;
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    insta::assert_snapshot!("stats_table", table);
    insta::assert_snapshot!("stats_json", bed.run(&["stats", "--since", "2h", "-o", "json"]).stdout);
}
