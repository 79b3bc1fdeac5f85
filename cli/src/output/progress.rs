//! How a pool or a workflow gets on: bars on a terminal, a line per change elsewhere.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _},
    time::Duration,
};

use chrono::Local;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sprout_client::proto::workflow::Workflow;

use super::{Printer, appliance::ApplianceView, pool::PoolView};

/// Shows the progress of one pool, or of the parts of one workflow, on standard error.
pub(crate) struct Progress<'a> {
    out: &'a Printer,
    bars: Option<Bars>,
    last_line: String,
}

struct Bars {
    all: MultiProgress,
    pool: ProgressBar,
    appliances: BTreeMap<u64, ProgressBar>,
}

impl<'a> Progress<'a> {
    /// With bars, if told so and there is a terminal.
    pub(crate) fn new(out: &'a Printer, with_bars: bool) -> Self {
        let bars = (with_bars && io::stderr().is_terminal()).then(|| {
            let all = MultiProgress::new();
            let pool = all.add(bar());
            // The clock goes on also while nothing happens.
            pool.enable_steady_tick(Duration::from_millis(200));
            Bars { all, pool, appliances: BTreeMap::new() }
        });
        Self { out, bars, last_line: String::new() }
    }

    /// Shows the pool as it is now. `message`: what happened, may be empty.
    pub(crate) fn show(&mut self, pool: &PoolView, message: &str) {
        if let Some(bars) = &mut self.bars {
            bars.show(pool);
            return;
        }
        let line = line(pool, message);
        if line != self.last_line {
            self.out.note(&stamped(&line));
            self.last_line = line;
        }
    }

    /// Shows how many parts of a workflow have ended; only in a bar, because there may be very many. `what`: "pings came back".
    pub(crate) fn parts(&mut self, what: &str, workflow: &Workflow) {
        let Workflow { id, child_count: all, open_child_count: open, .. } = workflow;
        let ended = all.saturating_sub(*open);
        if let Some(bars) = &self.bars {
            bars.pool.set_position(u64::from(ended) * 100 / u64::from(*all).max(1));
            bars.pool.set_prefix(format!("workflow {id}"));
            bars.pool.set_message(format!("{ended} of {all} {what}"));
        }
    }

    /// Says something above the bars.
    pub(crate) fn note(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| self.out.note(text)),
            None => self.out.note(&stamped(text)),
        }
    }

    /// Removes the bars; what comes after stands on a clean screen.
    pub(crate) fn finish(mut self) {
        self.clear();
    }

    fn clear(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.pool.finish_and_clear();
            // The terminal may be gone; there is nothing left to clear then.
            let _ = bars.all.clear();
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Bars {
    fn show(&mut self, pool: &PoolView) {
        self.pool.set_position(pool.progress_percent.into());
        self.pool.set_prefix(format!("pool {}", pool.id));
        self.pool.set_message(clip(&format!(
            "{}: {} of {} ready {}",
            pool.state, pool.ready_count, pool.count, pool.status
        )));
        let appliances = pool.appliances.as_deref().unwrap_or_default();
        self.appliances.retain(|id, bar| {
            let stays = appliances.iter().any(|appliance| appliance.id == *id);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for appliance in appliances {
            let bar = self.appliances.entry(appliance.id).or_insert_with(|| self.all.add(bar()));
            bar.set_position(appliance.progress_percent.into());
            // Lists have the name to it; names that differ at their ends alone look the same where room is short.
            bar.set_prefix(format!("  appliance {}", appliance.id));
            bar.set_message(clip(&status(appliance)));
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:<20!} {elapsed:>4} [{bar:16}] {pos:>3} % {wide_msg}");
    ProgressBar::new(100).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
}

/// A line with the time of day before it.
pub(crate) fn stamped(line: &str) -> String {
    format!("{} {line}", Local::now().format("%H:%M:%S"))
}

/// One line, whatever the server sent.
fn clip(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end().to_owned()
}

fn status(appliance: &ApplianceView) -> String {
    let separator = if appliance.status.is_empty() { "" } else { ": " };
    format!("{}{separator}{}", appliance.state, appliance.status)
}

/// The pool in one line: "pool 7 provisioning: 1 of 2 ready (50 %) – appliance 12 is ready".
pub(crate) fn line(pool: &PoolView, message: &str) -> String {
    let news = if message.is_empty() { &pool.status } else { message };
    let separator = if news.is_empty() { "" } else { " – " };
    let PoolView { id, state, ready_count, count, progress_percent, .. } = pool;
    format!("pool {id} {state}: {ready_count} of {count} ready ({progress_percent} %){separator}{}", clip(news))
}
