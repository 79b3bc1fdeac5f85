//! Whose workflow is next: start-time fair queueing between owners, without anything that would have to be locked.
//!
//! Workflows compete where lane, priority and provider are the same. There each gets a turn when it is made, for good, and lower turns go first.
//! The current turn is the lowest among those that wait to begin; if none waits, the highest among those under way. An owner's workflows are
//! [`STEP`] turns apart, counted from the owner's last one that is under way. Someone who has none gets the turn after the current one, which
//! is before the second next of everyone else: a few do not wait behind many.
//!
//! Nothing new ever gets the current turn, so it comes to an end and the next one is current: nobody starves, whatever others add. Once nothing
//! is under way, turns begin at the bottom again for all alike: having been idle gives no advantage that lasts.

/// Turns between two workflows of one owner; room for the first one of somebody else.
pub const STEP: i64 = 2;

/// The turns under way where a workflow is about to compete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turns {
    /// The lowest among those that wait to begin.
    pub waiting: Option<i64>,
    /// The highest among all under way.
    pub highest: Option<i64>,
    /// The highest among the owner's own.
    pub own: Option<i64>,
}

impl Turns {
    /// The turn of the owner's next workflow; further ones are [`STEP`] apart.
    pub fn next(self) -> i64 {
        let current = self.waiting.or(self.highest).unwrap_or(0);
        (current + 1).max(self.own.map_or(0, |own| own + STEP))
    }
}

#[cfg(test)]
mod tests;
