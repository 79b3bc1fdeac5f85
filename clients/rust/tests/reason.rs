//! The client knows every reason that servers of its own release send.

use std::collections::BTreeSet;

use sprout_client::Reason;

#[test]
fn each_reason_of_the_server_is_known() {
    // The wire names stand in one function there, which no client may depend on.
    let source = include_str!("../../../server/domain/src/error.rs");
    let names: BTreeSet<_> = source
        .lines()
        .filter_map(|line| line.split_once("=> \"")?.1.split_once('"').map(|(name, _)| name))
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    assert!(names.len() > 30, "the list has moved: {names:?}");
    let unknown: Vec<_> = names.iter().filter(|name| Reason::named(name).is_none()).collect();
    assert!(unknown.is_empty(), "add them to reason.rs: {unknown:?}");
}
