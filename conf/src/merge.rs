//! Lays one tree over another: mappings merge at any depth, all else is replaced.

use crate::{
    Mistakes,
    node::{Node, Value},
    place::Origin,
};

impl Node {
    /// Lays another tree over this one. Nothing over a mapping, and a mapping without anything in it, change nothing; a mapping
    /// cannot be laid over a text or a list.
    pub(crate) fn lay(&mut self, over: Self, mistakes: &mut Mistakes) {
        let is_null = over.is_null();
        let empties = over.is_map() && over.entries().is_empty();
        let below_is_null = self.is_null();
        match (&mut self.value, over.value) {
            (Value::Map(_), _) if is_null => {}
            (below, Value::Map(entries)) if !matches!(below, Value::Map(_)) && !below_is_null && !empties => {
                // An override of a single key that is not there.
                let first = entries.into_iter().next().map(|(key, _)| key.place);
                let message = match over.place.origin {
                    Origin::Variable(_) => "it sets a key inside something that is not a mapping".to_owned(),
                    _ => format!("a mapping cannot be laid over what is at {}, which is none", self.place),
                };
                mistakes.add(first.or(Some(over.place)), "", message);
            }
            (Value::Map(below), Value::Map(entries)) => {
                for (key, value) in entries {
                    match below.iter_mut().find(|(found, _)| found.text == key.text) {
                        Some((_, below)) => below.lay(value, mistakes),
                        None => below.push((key, value)),
                    }
                }
            }
            (_, Value::Map(_)) if empties && !below_is_null => {}
            (_, value) => {
                self.value = value;
                self.place = over.place;
            }
        }
    }
}
