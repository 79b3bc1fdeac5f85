//! `inherit: a/b` in a mapping: what is at that path of the same file goes below the mapping's own keys.

use crate::{
    Mistakes,
    node::{Node, Value},
    parse::MAX_NODES,
};

const INHERIT: &str = "inherit";
/// What inherits from what inherits from … so many.
const MAX_CHAIN: usize = 64;

/// The tree with all that is inherited in its place.
pub(crate) fn inherit(root: &Node, mistakes: &mut Mistakes) -> Node {
    let mut resolver = Resolver { root, mistakes, path: Vec::new(), nodes: 0 };
    resolver.resolve(root)
}

struct Resolver<'a, 'm> {
    root: &'a Node,
    mistakes: &'m mut Mistakes,
    /// What is being resolved.
    path: Vec<String>,
    nodes: usize,
}

impl Resolver<'_, '_> {
    fn resolve(&mut self, node: &Node) -> Node {
        let Value::Map(entries) = &node.value else {
            self.nodes += node.count();
            return node.clone();
        };
        self.nodes += 1;
        let Some(from) = node.get(INHERIT) else {
            return self.resolve_entries(node);
        };
        let Some(path) = from.text() else {
            let message = format!("found {}, expected a path such as management_systems/other", from.kind());
            self.mistakes.add(Some(from.place.clone()), "", message);
            return self.resolve_entries(&without_inherit(node, entries));
        };
        let own = without_inherit(node, entries);
        let Some(mut base) = self.inherited(path, from) else { return self.resolve_entries(&own) };
        if !base.is_map() {
            return base;
        }
        base.place = node.place.clone();
        let own = self.resolve_entries(&own);
        base.lay(own, self.mistakes);
        base
    }

    fn resolve_entries(&mut self, node: &Node) -> Node {
        let entries = node.entries().iter().map(|(key, value)| (key.clone(), self.resolve(value))).collect::<Vec<_>>();
        Node::new(node.place.clone(), Value::Map(entries))
    }

    /// What is at a path, with what that inherits.
    fn inherited(&mut self, path: &str, from: &Node) -> Option<Node> {
        let mut wrong = |message: String| {
            self.mistakes.add(Some(from.place.clone()), "", message);
            None
        };
        let path = path.trim_matches('/');
        if self.path.iter().any(|under_way| under_way == path) {
            return wrong(format!("`{path}` inherits from itself, by way of this; remove one of the `{INHERIT}`"));
        }
        if self.nodes > MAX_NODES || self.path.len() > MAX_CHAIN {
            return wrong("what is inherited is too large for a configuration file".to_owned());
        }
        self.path.push(path.to_owned());
        let found = self.find(path);
        let found = found.map(|node| self.resolve(&node));
        self.path.pop();
        if found.is_none() {
            let message = format!("there is nothing at `{path}` in this file; name a path from its top, such as a/b");
            self.mistakes.add(Some(from.place.clone()), "", message);
        }
        found
    }

    fn find(&mut self, path: &str) -> Option<Node> {
        let parts: Vec<_> = path.split('/').collect();
        let mut node = self.root;
        for (index, part) in parts.iter().enumerate() {
            node = match node.get(part) {
                Some(found) => found,
                // Maybe it has inherited it.
                None if node.get(INHERIT).is_some() => {
                    let mut resolved = self.resolve(node);
                    for part in &parts[index..] {
                        resolved = resolved.get(part)?.clone();
                    }
                    return Some(resolved);
                }
                None => return None,
            };
        }
        Some(node.clone())
    }
}

fn without_inherit(node: &Node, entries: &[(crate::Key, Node)]) -> Node {
    let rest = entries.iter().filter(|(key, _)| key.text != INHERIT).cloned().collect();
    Node::new(node.place.clone(), Value::Map(rest))
}
