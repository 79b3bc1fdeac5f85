//! What is printed, where and in which format.

use super::support::Bed;

#[test]
fn lists_as_tables() {
    let ran = Bed::new().run(&["pool", "list"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("pool_list_table", ran.stdout);
}

#[test]
fn lists_that_go_on_say_so() {
    let ran = Bed::new().run(&["pool", "list", "--limit", "1"]);
    assert_eq!(ran.stderr, "there are more than these 1; --limit shows more\n");
    assert_eq!(ran.stdout.lines().count(), 2);
}

#[test]
fn empty_lists_print_no_table_and_an_empty_json_list() {
    let bed = Bed::new();
    let ran = bed.run(&["pool", "list", "--owner", "nobody"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "no pools\n"));
    let ran = bed.run(&["pool", "list", "--owner", "nobody", "-o", "json"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("[]\n", ""));
}

#[test]
fn one_pool_in_each_format() {
    let bed = Bed::new();
    let json = bed.run(&["pool", "get", "1", "-o", "json"]).stdout;
    insta::assert_snapshot!("pool_get_json", json);
    insta::assert_snapshot!("pool_get_yaml", bed.run(&["-o", "yaml", "pool", "get", "1"]).stdout);
    let table = bed.run(&["pool", "get", "1"]).stdout;
    // How long ago it was changes; all else does not.
    let table: Vec<_> = table.lines().filter(|line| !line.starts_with("created:")).collect();
    insta::assert_snapshot!("pool_get_table", table.join("\n"));
}

#[test]
fn status_in_one_screen() {
    let bed = Bed::new();
    let ran = bed.run(&["status"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let server = format!("http://{}", bed.address);
    insta::assert_snapshot!("status_table", ran.stdout.replace(&server, "http://SERVER"));
}

#[test]
fn watching_prints_one_json_object_per_change() {
    let ran = Bed::new().run(&["pool", "watch", "1", "-o", "json"]);
    let states: Vec<_> = ran.stdout.lines().map(|line| line.split("\"state\":\"").nth(1).unwrap()).collect();
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.lines().count() == 3, "{}", ran.stdout);
    assert!(states[0].starts_with("ready") || states[0].starts_with("provisioning"), "{states:?}");
}

#[test]
fn waiting_prints_lines_without_a_terminal_and_then_the_pool() {
    let ran = Bed::new().run(&["pool", "request", "good", "-n", "2", "--wait", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("{\n  \"id\": 1,"), "{}", ran.stdout);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "pool 1: 2 × demo 1.2 requested");
    assert_eq!(&lines[1][8..], " pool 1 provisioning: 1 of 2 ready (50 %) – appliance 10 is ready");
    assert_eq!(&lines[2][8..], " pool 1 ready: 2 of 2 ready (100 %) – pool is ready");
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let bed = Bed::new();
    let mut child = bed.command(&["pool", "list"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = super::support::ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn why_a_pool_waits() {
    let bed = Bed::new();
    insta::assert_snapshot!("pool_why_table", bed.run(&["pool", "why", "1"]).stdout);
    insta::assert_snapshot!("pool_why_json", bed.run(&["pool", "why", "1", "-o", "json"]).stdout);
}
