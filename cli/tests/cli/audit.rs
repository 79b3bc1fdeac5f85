//! Who changed what, and who used how much.

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
