//! Takes the leadership when it is free, and keeps it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sprout_app::{App, LEADERSHIP_LEASE, LEADERSHIP_RENEWAL, Term, ports::Topic};
use sprout_domain::{Error, Result};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::driver::{Activity, Loop};

/// Asks for the leadership, again and again, and tells whether this server has it.
pub(crate) struct Lead {
    app: Arc<App>,
    server: Arc<str>,
    term: watch::Sender<Option<Term>>,
    /// Until then nobody else can have it, as far as a clock that only measures time can tell.
    sure_until: Instant,
}

impl Lead {
    pub(crate) fn new(app: Arc<App>, server: Arc<str>, term: watch::Sender<Option<Term>>) -> Self {
        Self { app, server, term, sure_until: Instant::now() }
    }

    fn tell(&self, term: Option<Term>) {
        self.app.note_leading(term.is_some());
        self.term.send_if_modified(|known| {
            let changed = *known != term;
            if changed {
                let says =
                    if term.is_some() { "this server leads: it runs the jobs" } else { "this server leads no more" };
                tracing::info!("{says}");
                *known = term;
            }
            changed
        });
    }
}

#[async_trait]
impl Activity for Lead {
    fn when(&self) -> Loop {
        Loop { name: "leadership", period: LEADERSHIP_RENEWAL, topic: Some(Topic::Leadership), rest: Duration::ZERO }
    }

    async fn run(&mut self) -> Result<Option<Duration>> {
        let asked = Instant::now();
        let answer = timeout(LEADERSHIP_RENEWAL, self.app.lead(&self.server)).await;
        let late = || Error::new(sprout_domain::Reason::DatabaseUnavailable, "the database does not answer in time");
        match answer.unwrap_or_else(|_| Err(late())) {
            Ok(term) => {
                self.sure_until = asked + LEADERSHIP_LEASE;
                self.tell(term);
                Ok(None)
            }
            Err(error) => {
                if Instant::now() >= self.sure_until {
                    self.tell(None);
                }
                Err(error)
            }
        }
    }
}
