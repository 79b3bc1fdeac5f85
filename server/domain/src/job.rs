//! Jobs: what the scheduler does again and again, and its history.

use std::time::Duration;

use crate::Timestamp;

/// A periodical activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Identity, e.g. `provider-check`.
    pub name: String,
    /// What it does, in a sentence.
    pub description: String,
    /// From one due time to the next.
    pub period: Duration,
    /// It runs only by hand.
    pub paused: bool,
    /// Someone asked for it: it runs when it is due also if it is paused.
    pub asked: bool,
    /// When it is to run next.
    pub due_at: Timestamp,
    /// The due time of its last run.
    pub last_due_at: Option<Timestamp>,
}

impl Job {
    /// It is to run as soon as its time has come.
    pub fn is_awaited(&self) -> bool {
        self.asked || !self.paused
    }
}

/// How a run of a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobRunState {
    /// Begun, and not known to have ended.
    Running,
    /// Ended well.
    Done,
    /// Ended with an error, which the run tells.
    Failed,
    /// Whoever ran it ended before it did, or no longer led.
    Lost,
}

impl JobRunState {
    /// Name in events and clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

/// One run of a job. There is at most one for each due time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRun {
    /// Identity; later runs have higher ones.
    pub id: i64,
    /// The job.
    pub job: String,
    /// The due time it is for.
    pub due_at: Timestamp,
    /// The server that ran it.
    pub server: String,
    /// How it stands.
    pub state: JobRunState,
    /// What it did, or why it failed.
    pub message: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// The first multiple of the period (since 1970) after `now`: all servers see the same due times, and those that were missed count as one.
pub fn next_due(now: Timestamp, period: Duration) -> Timestamp {
    let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
    let passed = now.timestamp_micros().div_euclid(period);
    let next = passed.saturating_add(1).saturating_mul(period);
    Timestamp::from_timestamp_micros(next).unwrap_or(Timestamp::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_are_multiples_of_the_period() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let ten = Duration::from_secs(600);
        assert_eq!(next_due(at("2026-01-01T10:09:59.999Z"), ten), at("2026-01-01T10:10:00Z"));
        assert_eq!(next_due(at("2026-01-01T10:10:00Z"), ten), at("2026-01-01T10:20:00Z"));
        assert_eq!(next_due(at("2026-01-01T10:10:00Z"), Duration::MAX), Timestamp::MAX_UTC);
        assert!(next_due(at("1969-12-31T23:59:59Z"), ten) == Timestamp::UNIX_EPOCH);
    }
}
