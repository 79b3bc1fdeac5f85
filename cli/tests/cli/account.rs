//! What sproutctl says of users, user groups, tokens and quotas, and what it does to them.

use std::{io::Write as _, process::Stdio};

use super::support::{Bed, Ran, ran, timeless};

fn with_input(bed: &Bed, arguments: &[&str], input: &str) -> Ran {
    let mut child = bed.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

#[test]
fn tables_fit_a_terminal() {
    let bed = Bed::new();
    for (name, arguments) in [
        ("user_list", &["user", "list"][..]),
        ("user_get", &["user", "get", "bob"]),
        ("quota_get", &["quota", "get", "bob"]),
        ("user_group_list", &["user-group", "list"]),
        ("user_group_get", &["user-group", "get", "qe"]),
        ("token_list", &["token", "list"]),
    ] {
        let ran = bed.run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 120), "{}", ran.stdout);
        insta::assert_snapshot!(format!("{name}_table"), timeless(&ran.stdout));
    }
}

#[test]
fn json_is_complete_and_stable() {
    let bed = Bed::new();
    for (name, arguments) in [
        ("user_get", &["user", "get", "bob", "-o", "json"][..]),
        ("quota_get", &["quota", "get", "-o", "json"]),
        ("user_group_get", &["user-group", "get", "qe", "-o", "json"]),
        ("token_list", &["token", "list", "-o", "json"]),
        ("token_create", &["token", "create", "ci", "-o", "json"]),
    ] {
        insta::assert_snapshot!(format!("{name}_json"), bed.run(arguments).stdout);
    }
}

#[test]
fn a_token_is_alone_on_stdout() {
    let ran = Bed::new().run(&["token", "create", "ci", "--scope", "read"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "spr_secret\n"));
    assert!(ran.stderr.contains("is for read") && ran.stderr.contains("shown only now"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("spr_secret"), "{}", ran.stderr);
}

#[test]
fn what_ends_something_needs_a_yes() {
    let bed = Bed::new();
    for arguments in
        [&["token", "revoke", "7"][..], &["user-group", "delete", "qe"], &["user", "update", "bob", "--disable"]]
    {
        let ran = bed.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.stderr.contains("--yes"), "{}", ran.stderr);
        assert!(bed.fake.asked.lock().unwrap().is_empty());
    }
    assert_eq!(bed.run(&["token", "revoke", "7", "--yes"]).code, 0);
    assert_eq!(bed.run(&["user-group", "delete", "qe", "--yes"]).code, 0);
    assert_eq!(*bed.fake.asked.lock().unwrap(), ["revoke 7", "delete qe"]);
}

#[test]
fn user_groups_are_changed_by_part() {
    let bed = Bed::new();
    assert_eq!(bed.run(&["user-group", "add", "qe", "--user", "eve", "--user", "joe"]).code, 0);
    assert_eq!(bed.run(&["user-group", "remove", "qe", "--provider", "docker"]).code, 0);
    let asked = [r#"add ["eve", "joe"], remove []"#, r#"add [], remove ["docker"]"#];
    assert_eq!(*bed.fake.asked.lock().unwrap(), asked);
    let nothing = bed.run(&["user-group", "add", "qe"]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("--user NAME"), "{}", nothing.stderr);
}

#[test]
fn a_quota_keeps_what_is_not_named() {
    let ran = Bed::new().run(&["quota", "set", "bob", "--pools", "4", "--appliances", "none"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!("quota_set_table", ran.stdout);
}

#[test]
fn the_own_password_is_changed_from_two_lines() {
    let bed = Bed::new();
    let changed = with_input(&bed, &["passwd", "--password-stdin"], "correct horse\nbattery staple\n");
    assert_eq!((changed.code, changed.stdout.as_str()), (0, ""), "{}", changed.stderr);
    assert!(changed.stderr.contains("the password is changed"), "{}", changed.stderr);
    let wrong = with_input(&bed, &["passwd", "--password-stdin"], "wrong\nbattery staple\n");
    assert_eq!(wrong.code, 4);
    let reset = with_input(&bed, &["user", "passwd", "bob", "--password-stdin"], "battery staple\n");
    assert_eq!(reset.code, 0, "{}", reset.stderr);
    assert!(reset.stderr.contains("all tokens of bob stopped working"), "{}", reset.stderr);
}

#[test]
fn a_new_user_who_sees_nothing_is_told_of() {
    let ran = with_input(&Bed::new(), &["user", "create", "eve", "--password-stdin"], "battery staple\n");
    assert!(ran.stderr.contains("sproutctl user-group add GROUP --user eve"), "{}", ran.stderr);
}
