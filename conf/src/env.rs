//! Overrides from the environment: which variables there are, as a tree in the shape of the section they change.

use std::{env, ffi::OsString};

use zeroize::Zeroizing;

use crate::{
    Mistakes, Place,
    error::did_you_mean,
    node::{Key, Node, Value},
    place::Origin,
};

const PREFIX: &str = "SPROUT_";

/// What the environment changes in one section; none: nothing.
pub(crate) fn overrides(section: &str, known: &[&str], mistakes: &mut Mistakes) -> Option<Node> {
    from_variables(env::vars_os(), section, known, mistakes)
}

pub(crate) fn from_variables(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    section: &str,
    known: &[&str],
    mistakes: &mut Mistakes,
) -> Option<Node> {
    let mut tree = None;
    for (variable, value) in variables {
        let Some(variable) = variable.to_str() else { continue };
        let Some(path) = variable.strip_prefix(PREFIX).filter(|path| path.contains("__")) else { continue };
        let place = Place::whole(&Origin::Variable(variable.into()));
        let path = path.to_lowercase();
        let mut keys = path.split("__");
        let first = keys.next().unwrap_or_default();
        if !known.contains(&first) {
            let hint = did_you_mean(first, known);
            let message = format!("there is no section `{first}`{hint}; sections are: {}", known.join(", "));
            mistakes.add(Some(place), "", message);
            continue;
        }
        if first != section {
            continue;
        }
        let Ok(value) = value.into_string() else {
            mistakes.add(Some(place), "", "its value is not UTF-8");
            continue;
        };
        let value = Node::new(place.clone(), Value::Variable(Zeroizing::new(value)));
        let tree = tree.get_or_insert_with(|| Node::empty(place.clone()));
        if let Err(message) = insert(tree, keys, value) {
            mistakes.add(Some(place), "", message);
        }
    }
    tree
}

fn insert<'k>(tree: &mut Node, mut keys: impl Iterator<Item = &'k str> + Clone, value: Node) -> Result<(), String> {
    let key = keys.next().filter(|key| !key.is_empty()).ok_or("its name has an empty part; write SECTION__KEY")?;
    let Value::Map(entries) = &mut tree.value else {
        return Err(format!("{} sets all of it already; unset one of them", named(tree)));
    };
    let is_last = keys.clone().next().is_none();
    let at = entries.iter().position(|(found, _)| found.text == key);
    match (at, is_last) {
        (Some(at), true) => Err(format!("it sets the same as {}; unset one of them", named(&entries[at].1))),
        (Some(at), false) => match &entries[at].1.value {
            Value::Map(_) => insert(&mut entries[at].1, keys, value),
            _ => Err(format!("{} sets all of `{key}` already; unset one of them", named(&entries[at].1))),
        },
        (None, is_last) => {
            let key = Key { id: 0, place: value.place.clone(), text: key.to_owned() };
            if is_last {
                entries.push((key, value));
                return Ok(());
            }
            let mut inner = Node::empty(value.place.clone());
            insert(&mut inner, keys, value)?;
            entries.push((key, inner));
            Ok(())
        }
    }
}

/// The variable it comes from.
fn named(node: &Node) -> String {
    match &node.place.origin {
        Origin::Variable(name) => name.to_string(),
        Origin::File(_) | Origin::Encrypted(_) => node.place.to_string(),
    }
}
