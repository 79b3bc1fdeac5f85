//! From the text of a file to a tree. What is wrong is collected; only what breaks the structure ends it.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use zeroize::Zeroizing;

use crate::{
    Mistakes, Place,
    node::{Key, Node, Value},
    place::Origin,
    scalar::Dialect,
};

/// Far above any configuration, and little enough to be refused at once: bytes of a file.
pub(crate) const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Values, with those that aliases repeat.
pub(crate) const MAX_NODES: usize = 250_000;
/// Levels of lists and mappings in each other.
const MAX_DEPTH: usize = 64;
const TOO_MUCH: &str = "too large or too deeply nested for a configuration file";

/// Reads one document. None if its structure cannot be made out. A text without content is an empty single value.
pub(crate) fn parse(text: &str, origin: &Origin, dialect: Dialect, mistakes: &mut Mistakes) -> Option<Node> {
    let options = granit_parser::options! { emit_comments: false };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder { parser, origin, dialect, mistakes, anchors: HashMap::new(), nodes: 0 };
    match builder.document() {
        Ok(node) => Some(node),
        Err(Stop { place, message }) => {
            mistakes.add(Some(place), "", message);
            None
        }
    }
}

/// Why nothing more can be made out.
struct Stop {
    place: Place,
    message: String,
}

struct Builder<'t, 'm> {
    parser: Parser<'t, StrInput<'t>>,
    origin: &'m Origin,
    dialect: Dialect,
    mistakes: &'m mut Mistakes,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Builder<'t, '_> {
    fn document(&mut self) -> Result<Node, Stop> {
        let mut document = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentStart(..) if document.is_some() => {
                    return Err(self.stop(&span, "a second document starts here; remove the line `---`"));
                }
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => document = Some(self.node(event, &span, 0)?),
            }
        }
        let nothing = || {
            let text = Zeroizing::new(String::new());
            Node::new(Place::whole(self.origin), Value::Scalar { text, plain: true, dialect: self.dialect })
        };
        Ok(document.unwrap_or_else(nothing))
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, Stop> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(self.stop(span, TOO_MUCH));
        }
        let place = self.place(span);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = Zeroizing::new(text.into_owned());
                let quoted = style != ScalarStyle::Plain || self.is_text(tag.as_deref(), span);
                (Value::Scalar { text, plain: !quoted, dialect: self.dialect }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.is_text(tag.as_deref(), span);
                (Value::List(self.list(depth)?), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.is_text(tag.as_deref(), span);
                (Value::Map(self.map(depth)?), anchor)
            }
            Event::Alias(id) => {
                let Some(target) = self.anchors.get(&id) else {
                    return Err(self.stop(span, "this alias is inside of what it stands for; write it out"));
                };
                // Counted before it is copied: that is where a small file becomes a large tree.
                let count = target.count();
                self.nodes = self.nodes.saturating_add(count);
                if self.nodes > MAX_NODES {
                    return Err(self.stop(span, TOO_MUCH));
                }
                return Ok(target.clone());
            }
            _ => return Err(self.stop(span, "not a value")),
        };
        let node = Node::new(place, value);
        if anchor != 0 {
            self.nodes = self.nodes.saturating_add(node.count());
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, &span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, Stop> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            let Value::Scalar { text, plain, .. } = key.value else {
                self.mistakes.add(Some(key.place), "", "a list or a mapping cannot be a key; quote it");
                continue;
            };
            if plain && text.as_str() == "<<" {
                merged.push(value);
            } else if !seen.insert(text.to_string()) {
                let message = format!("key `{}` is there twice; remove one of them", text.as_str());
                self.mistakes.add(Some(key.place), "", message);
            } else {
                entries.push((Key { id: 0, place: key.place, text: text.to_string() }, value));
            }
        }
        for source in merged {
            let place = source.place.clone();
            let sources = match source.value {
                Value::List(items) => items,
                other => vec![Node::new(place, other)],
            };
            for source in sources {
                let Value::Map(inherited) = source.value else {
                    self.mistakes.add(Some(source.place), "", "`<<` takes a mapping, or a list of mappings");
                    continue;
                };
                for (key, value) in inherited {
                    if seen.insert(key.text.clone()) {
                        entries.push((key, value));
                    }
                }
            }
        }
        Ok(entries)
    }

    /// Whether a tag makes it a text whatever it looks like. Others than YAML's own are mistakes.
    fn is_text(&mut self, tag: Option<&Tag>, span: &Span) -> bool {
        let Some(tag) = tag else { return false };
        if tag.core_suffix().is_none() && tag.original() != "!" {
            let start = span.tag_start().unwrap_or(span.start);
            let place = Place::at(self.origin, start.line(), start.col() + 1);
            self.mistakes.add(Some(place), "", format!("tag {} is not known here; remove it", tag.original()));
        }
        tag.core_suffix() == Some("str") || tag.original() == "!"
    }

    fn place(&self, span: &Span) -> Place {
        Place::at(self.origin, span.start.line(), span.start.col() + 1)
    }

    fn stop(&self, span: &Span, message: &str) -> Stop {
        Stop { place: self.place(span), message: message.to_owned() }
    }

    fn scan_error(&self, error: &ScanError) -> Stop {
        let place = Place::at(self.origin, error.marker().line(), error.marker().col() + 1);
        let message = match error.kind() {
            granit_parser::ErrorKind::UnknownAnchor => {
                "there is no anchor of this name above; quote the text if it is no alias".to_owned()
            }
            _ if error.info().starts_with("tabs ") => format!("{}; indent with spaces", error.info()),
            _ if error.info().contains("nest") || error.info().contains("recursion") => TOO_MUCH.to_owned(),
            _ => error.info(),
        };
        Stop { place, message }
    }
}
