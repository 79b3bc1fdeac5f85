//! Whether PostgreSQL answers. Without knowing it, every call would find out for itself, by waiting as long as a busy database may take; and a
//! server that is stopped but not dead refuses nothing at all.
//!
//! One connection of its own asks twice a second. While there is no answer, whatever waits for the database is told so at once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use sprout_domain::{Error, Result};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::error::gone;

/// Pause between two questions.
const PERIOD: Duration = Duration::from_millis(500);
/// An answer, to connect included, takes less, however busy the database is: the question needs no lock, no disk and no turn in the pool.
const LIMIT: Duration = Duration::from_millis(1500);

/// Knows whether the database answers, as long as it is kept.
#[derive(Debug)]
pub(crate) struct Pulse {
    answers: watch::Sender<bool>,
    /// When the database last answered again. Connections that have been idle since before then may lead nowhere.
    returned: Mutex<Option<Instant>>,
    task: Mutex<Option<AbortHandle>>,
}

impl Pulse {
    /// Begins to ask. The database is there: someone has just connected to it.
    pub(crate) fn begin(connect: PgConnectOptions) -> Arc<Self> {
        let pulse =
            Arc::new(Self { answers: watch::Sender::new(true), returned: Mutex::default(), task: Mutex::default() });
        let asking = tokio::spawn({
            let pulse = Arc::downgrade(&pulse);
            async move {
                let mut connection = None;
                loop {
                    sleep(PERIOD).await;
                    let answer = timeout(LIMIT, ask(&mut connection, &connect)).await;
                    let Some(pulse) = pulse.upgrade() else { return };
                    pulse.note(answer.unwrap_or_else(|_| {
                        connection = None;
                        Answer::None(format!("no answer within {} ms", LIMIT.as_millis()))
                    }));
                }
            }
        });
        *pulse.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(asking.abort_handle());
        pulse
    }

    /// Stops to ask.
    pub(crate) fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }

    /// Whether the database answers, and changes of that.
    pub(crate) fn answers(&self) -> watch::Receiver<bool> {
        self.answers.subscribe()
    }

    /// Whether a connection that was idle for this long may have died of an outage.
    pub(crate) fn doubts(&self, idle_for: Duration) -> bool {
        let returned = *self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        returned.is_some_and(|returned| returned.elapsed() < idle_for)
    }

    fn note(&self, answer: Answer) {
        if !matches!(answer, Answer::Same) {
            *self.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        let (answers, why) = match answer {
            Answer::Same | Answer::Again => (true, String::new()),
            Answer::None(why) => (false, why),
        };
        if self.answers.send_replace(answers) != answers {
            if answers {
                tracing::info!("PostgreSQL answers again");
            } else {
                tracing::warn!(why, "PostgreSQL does not answer; calls are refused until it does");
            }
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Does work with the database, or gives it up as soon as the database is known not to answer.
pub(crate) async fn while_it_answers<T>(
    pulse: Option<&Arc<Pulse>>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(pulse) = pulse else { return work.await };
    let mut answers = pulse.answers();
    tokio::select! {
        biased;
        done = work => done,
        _ = answers.wait_for(|answers| !answers) => Err(silent()),
    }
}

fn silent() -> Error {
    gone().because("PostgreSQL does not answer")
}

/// What the database said.
enum Answer {
    /// It answers, on the connection there was.
    Same,
    /// It answers, on a new connection.
    Again,
    /// It does not.
    None(String),
}

async fn ask(connection: &mut Option<PgConnection>, connect: &PgConnectOptions) -> Answer {
    if let Some(open) = connection {
        if open.ping().await.is_ok() {
            return Answer::Same;
        }
        *connection = None;
    }
    match connect.connect().await {
        Ok(open) => {
            *connection = Some(open);
            Answer::Again
        }
        // It starts or shuts down; whatever else it refuses us for, it answers.
        Err(sqlx::Error::Database(refusal)) if refusal.code().is_some_and(|code| code.starts_with("57P")) => {
            Answer::None(refusal.to_string())
        }
        Err(sqlx::Error::Database(_)) => Answer::Again,
        Err(error) => Answer::None(error.to_string()),
    }
}
