//! The only place that prints. Data goes to standard output, in the format asked for; notes, progress and errors go to
//! standard error. The structs of this module are the stable JSON; the protos may move on without them.
#![allow(clippy::print_stderr, reason = "this is the printer")]

pub(crate) mod appliance;
pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod cleanup;
pub(crate) mod config;
pub(crate) mod event;
pub(crate) mod group;
pub(crate) mod job;
pub(crate) mod machine;
pub(crate) mod pool;
pub(crate) mod progress;
pub(crate) mod provider;
pub(crate) mod shepherd;
pub(crate) mod stats;
pub(crate) mod status;
mod table;
pub(crate) mod task;
pub(crate) mod template;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod usage;
pub(crate) mod user;
pub(crate) mod user_group;
pub(crate) mod wait;
pub(crate) mod worker;
pub(crate) mod workflow;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use serde::Serialize;

use crate::{args::Format, failure::Failure};

/// One line of a table.
pub(crate) trait Row: Serialize {
    /// What the rows are called, when there are none.
    const PLURAL: &'static str;
    /// The heads of the columns.
    const COLUMNS: &'static [&'static str];
    /// One cell for each column.
    fn cells(&self) -> Vec<String>;
}

/// One thing, shown alone.
pub(crate) trait Card: Serialize {
    /// All there is to tell, for people, with line ends.
    fn text(&self) -> String;
}

/// One line of a log.
#[derive(Debug, Serialize)]
pub(crate) struct LineView<'a> {
    pub(crate) line: &'a str,
}

/// Prints in one format.
#[derive(Debug)]
pub(crate) struct Printer {
    format: Format,
}

#[allow(clippy::unused_self, reason = "to have the printer is to be allowed to print")]
impl Printer {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Prints a list.
    pub(crate) fn list<T: Row>(&self, rows: &[T]) -> Result<(), Failure> {
        match self.format {
            Format::Table if rows.is_empty() => {
                self.note(&format!("no {}", T::PLURAL));
                Ok(())
            }
            Format::Table => write(&table::render(rows, stdout_width())),
            Format::Json | Format::Yaml => self.data(&rows, false),
        }
    }

    /// Prints a list that was printed before, as it is now: at a terminal in the place of the old one, as data in one line.
    pub(crate) fn again<T: Row>(&self, rows: &[T]) -> Result<(), Failure> {
        if self.format != Format::Table {
            return self.data(&rows, true);
        }
        let text = if rows.is_empty() { format!("no {}\n", T::PLURAL) } else { table::render(rows, stdout_width()) };
        // Home and clear, as terminals have understood it for fifty years.
        let before = if io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
        let after = if io::stdout().is_terminal() { "" } else { "\n" };
        write(&format!("{before}{text}{after}"))
    }

    /// Prints one thing.
    pub(crate) fn card<T: Card>(&self, card: &T) -> Result<(), Failure> {
        match self.format {
            Format::Table => write(&card.text()),
            Format::Json | Format::Yaml => self.data(card, false),
        }
    }

    /// Prints one thing of a stream: a line for people, an object in a line, or a document.
    pub(crate) fn item<T: Serialize>(&self, item: &T, line: &str) -> Result<(), Failure> {
        match self.format {
            Format::Table => write(&format!("{line}\n")),
            Format::Json | Format::Yaml => self.data(item, true),
        }
    }

    fn data<T: Serialize>(&self, data: &T, in_stream: bool) -> Result<(), Failure> {
        let text = match (self.format, in_stream) {
            (Format::Yaml, false) => serde_saphyr::to_string(data).map_err(io::Error::other),
            (Format::Yaml, true) => {
                serde_saphyr::to_string(data).map(|text| format!("---\n{text}")).map_err(io::Error::other)
            }
            (_, true) => serde_json::to_string(data).map_err(io::Error::from),
            (_, false) => serde_json::to_string_pretty(data).map_err(io::Error::from),
        };
        let text = text.map_err(|source| Failure::Io { what: "the data cannot be printed".to_owned(), source })?;
        write(&format!("{}\n", text.trim_end()))
    }

    /// Prints text as it is, whatever the format (completion scripts).
    pub(crate) fn raw(&self, text: &str) -> Result<(), Failure> {
        write(text)
    }

    /// Says something besides the data.
    pub(crate) fn note(&self, text: &str) {
        // Standard error may be closed; the data matters more.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Asks something, and stays on the line.
    pub(crate) fn ask(&self, text: &str) {
        let _ = write!(io::stderr(), "{text}").and_then(|()| io::stderr().flush());
    }

    /// Says why the command failed, and what to do.
    pub(crate) fn failure(&self, failure: &Failure, noun: &str) {
        if matches!(failure, Failure::OutputClosed | Failure::Program(_)) {
            return;
        }
        self.note(&format!("error: {failure}"));
        if let Some(hint) = failure.hint(noun) {
            self.note(&format!("hint: {hint}"));
        }
    }
}

/// Prints what clap has to say: help and version on standard output, mistakes on standard error.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be done when even this cannot be printed.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn stdout_width() -> Option<u16> {
    let stdout = io::stdout();
    if stdout.is_terminal() { comfy_table::Table::new().width() } else { None }
}

fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|source| match source.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::Io { what: "standard output cannot be written".to_owned(), source },
    })
}

/// `Some` for a text that says something.
fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The lower-case name of an enum's value: `POOL_STATE_READY` without `POOL_STATE_` is `ready`.
fn lower<E: TryFrom<i32>>(value: i32, name: fn(&E) -> &'static str, prefix: &str) -> String {
    let name = E::try_from(value).map_or("unknown", |value| name(&value));
    match name.strip_prefix(prefix).unwrap_or(name) {
        "UNSPECIFIED" => "unknown".to_owned(),
        name => name.to_lowercase(),
    }
}

/// Lines of `name: value`, values aligned, those without a value left away.
fn facts(facts: &[(&str, Option<String>)]) -> String {
    let width = facts.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |(name, value): &(&str, Option<String>)| {
        value.as_ref().map(|value| format!("{:<1$}  {value}\n", format!("{name}:"), width + 1))
    };
    facts.iter().filter_map(line).collect()
}
