//! What was measured, next to the goal and to the best peer: a table for people, JSON for programs.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{machine::Machine, samples::Samples, usage::Used};

/// Goals, and what peers did where they cannot be run here; each figure names its source.
const REFERENCE: &str = include_str!("../data/reference.json");

/// One thing that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Scenario and part of it, e.g. "checkout.unloaded": what the reference knows it by.
    pub(crate) key: &'static str,
    /// In words.
    pub(crate) what: String,
    /// Its figures by name.
    pub(crate) figures: Vec<Figure>,
    /// Durations measured, if it is about such.
    pub(crate) samples: u64,
    /// Their distribution: share of all, milliseconds.
    pub(crate) curve: Vec<(f64, f64)>,
    /// Processor time of each process meanwhile.
    pub(crate) used: Vec<Used>,
    /// What a reader must know.
    pub(crate) note: String,
}

/// One number.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    goal: Option<f64>,
    peer: Option<Peer>,
}

/// What another system did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Which, and where the figure is from.
    pub(crate) name: String,
    /// In the unit of the figure.
    pub(crate) value: f64,
}

#[derive(Debug, Deserialize)]
struct Known {
    goal: Option<f64>,
    peer: Option<Peer>,
    /// A figure of this run that comes before `peer`, as "row/figure".
    live: Option<String>,
}

impl Row {
    pub(crate) fn new(key: &'static str, what: impl Into<String>) -> Self {
        Self {
            key,
            what: what.into(),
            figures: Vec::new(),
            samples: 0,
            curve: Vec::new(),
            used: Vec::new(),
            note: String::new(),
        }
    }

    pub(crate) fn figure(mut self, name: &'static str, value: f64, unit: &'static str) -> Self {
        self.figures.push(Figure { name, value, unit, goal: None, peer: None });
        self
    }

    /// p50, p99 and the longest.
    pub(crate) fn samples(self, samples: &Samples) -> Self {
        let row = self.figure("p50", samples.at_ms(0.5), "ms").figure("p99", samples.at_ms(0.99), "ms");
        let row = row.figure("max", samples.at_ms(1.0), "ms");
        Self { samples: samples.count(), curve: samples.curve(), ..row }
    }

    pub(crate) fn used(self, used: Vec<Used>) -> Self {
        Self { used, ..self }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// All rows so far.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// Scenarios without figures, and why.
    left_out: BTreeMap<&'static str, String>,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) -> Result<()> {
        let known: BTreeMap<String, BTreeMap<String, Known>> = serde_json::from_str(REFERENCE)?;
        let mut row = row;
        for figure in &mut row.figures {
            let Some(known) = known.get(row.key).and_then(|row| row.get(figure.name)) else { continue };
            figure.goal = known.goal;
            figure.peer = known.live.as_ref().and_then(|live| self.live(live)).or_else(|| known.peer.clone());
        }
        for line in lines(&row) {
            println!("{line}");
        }
        self.rows.push(row);
        Ok(())
    }

    /// A figure of this run, as "row/figure".
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.live(name).map(|peer| peer.value)
    }

    fn live(&self, name: &str) -> Option<Peer> {
        let (key, figure) = name.split_once('/')?;
        let row = self.rows.iter().find(|row| row.key == key)?;
        let value = row.figures.iter().find(|other| other.name == figure)?.value;
        Some(Peer { name: format!("{}, this run", row.what), value })
    }

    pub(crate) fn leave_out(&mut self, scenario: &'static str, why: String) {
        println!("{}", left_out(scenario, &why));
        self.left_out.insert(scenario, why);
    }

    /// Writes everything to `NAME.json`, and the table to `NAME.md`.
    pub(crate) fn write(&self, directory: &Path, name: &str, machine: &Machine) -> Result<()> {
        fs::create_dir_all(directory)?;
        let all = serde_json::json!({"machine": machine, "rows": self.rows, "left_out": self.left_out});
        for (ending, text) in [("json", serde_json::to_string_pretty(&all)?), ("md", self.table(machine))] {
            let path = directory.join(format!("{name}.{ending}"));
            fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
            println!("written: {}", path.display());
        }
        Ok(())
    }

    /// Puts the table into a document, in place of the one there.
    pub(crate) fn put_into(&self, document: &Path, machine: &Machine) -> Result<()> {
        let old = fs::read_to_string(document).with_context(|| format!("{} cannot be read", document.display()))?;
        let new = replaced(&old, &self.table(machine))
            .with_context(|| format!("{} has no lines {BEGIN:?} and {END:?}", document.display()))?;
        fs::write(document, new).with_context(|| format!("{} cannot be written", document.display()))
    }

    fn table(&self, machine: &Machine) -> String {
        let rows = self.rows.iter().flat_map(lines);
        let left_out = self.left_out.iter().map(|(scenario, why)| left_out(scenario, why));
        let lines: Vec<_> = HEAD.iter().map(|line| (*line).to_owned()).chain(rows).collect();
        let left_out: Vec<_> = left_out.map(|line| format!("\n{line}\n")).collect();
        format!("{machine}\n\n{}\n{}", lines.join("\n"), left_out.concat())
    }
}

/// What a document has before the table, and after it.
const BEGIN: &str = "<!-- the table: `make bench DOCUMENT=…` writes it -->\n";
const END: &str = "<!-- end of the table -->\n";

/// The heading above rows.
pub(crate) const HEAD: [&str; 2] = [
    "| what | figure | measured | goal | reached | peer | ratio to the peer |",
    "| --- | --- | ---: | ---: | --- | --- | ---: |",
];

/// The document with this table; none if it has no place for one.
fn replaced(document: &str, table: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, "\n", table, "\n", END, after].concat())
}

fn left_out(scenario: &str, why: &str) -> String {
    format!("{scenario}: NOT MEASURED: {why}")
}

/// A row as lines of the table.
fn lines(row: &Row) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, figure) in row.figures.iter().enumerate() {
        let Figure { name, value, unit, goal, peer } = figure;
        let what = if n == 0 { &*row.what } else { "" };
        // Rates are to be high, all else is to be low.
        let more_is_better = unit.ends_with("/s");
        let better = |than: f64| if more_is_better { *value >= than } else { *value <= than };
        let reached = goal.map_or("", |goal| if better(goal) { "yes" } else { "NO" });
        let goal =
            goal.map_or(String::new(), |goal| format!("{} {}", if more_is_better { "≥" } else { "≤" }, short(goal)));
        let times = |peer: &Peer| if more_is_better { value / peer.value } else { peer.value / value };
        let (peer, ratio) = peer.as_ref().map_or((String::new(), String::new()), |peer| {
            (format!("{} {unit} ({})", short(peer.value), peer.name), format!("{} × as good", short(times(peer))))
        });
        lines.push(format!("| {what} | {name} | {} {unit} | {goal} | {reached} | {peer} | {ratio} |", short(*value)));
    }
    let used: Vec<_> = row.used.iter().map(|used| format!("{} {:.2}", used.process, used.cores)).collect();
    let mut notes = vec![row.note.clone()];
    if !used.is_empty() {
        notes.push(format!("cores busy: {}", used.join(", ")));
    }
    if row.samples > 0 {
        notes.push(format!("{} samples", row.samples));
    }
    notes.retain(|note| !note.is_empty());
    if !notes.is_empty() {
        lines.push(format!("| | | {} | | | | |", notes.join("; ")));
    }
    lines
}

/// Three digits.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        1.0..10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_gets_another_table() {
        let document = format!("# P\n{BEGIN}old\n{END}## Q\n");
        let new = replaced(&document, "new\n").unwrap();
        assert_eq!(new, format!("# P\n{BEGIN}\nnew\n\n{END}## Q\n"));
        assert_eq!(replaced(&new, "new\n").as_ref(), Some(&new));
        assert_eq!(replaced("# P\n", "new\n"), None);
    }

    #[test]
    fn a_row_says_whether_its_goal_is_reached() {
        let mut row = Row::new("k", "calls").figure("p99", 12.5, "ms").figure("rate", 5.0, "/s").note("alone");
        (row.figures[0].goal, row.figures[1].goal) = (Some(10.0), Some(4.0));
        let expected = [
            "| calls | p99 | 12.5 ms | ≤ 10.0 | NO |  |  |",
            "|  | rate | 5.00 /s | ≥ 4.00 | yes |  |  |",
            "| | | alone | | | | |",
        ];
        assert_eq!(lines(&row), expected);
    }
}
