//! Writes down who was heard and what steps do just now: all of it in one transaction, now and then. Heartbeats are answered after its commit.

use std::{sync::Arc, time::Duration};

use sprout_app::ports::{Heard, Progress};
use sprout_domain::WorkerId;
use sprout_proto::worker::{self as proto, session_response::Message as Say};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{Fleet, Said};

/// How often. Workers wait for the answer to a heartbeat, and must have it well before their lease ends.
const OFTEN: Duration = Duration::from_secs(1);

/// What was said in one session.
struct Of {
    worker: WorkerId,
    session: String,
    said: Said,
}

impl Fleet {
    /// Writes down what was said.
    pub(crate) async fn note_what_was_said(self: Arc<Self>) {
        let mut tick = interval(OFTEN);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.note().await;
        }
    }

    async fn note(&self) {
        let (all, progress) = self.said();
        if all.is_empty() {
            return;
        }
        let now = Instant::now();
        let heard: Vec<_> = all
            .iter()
            .filter_map(|of| {
                let ago = now.saturating_duration_since(of.said.at?);
                Some(Heard { worker: of.worker.clone(), session: of.session.clone(), ago })
            })
            .collect();
        match self.app.note(&heard, &progress).await {
            Ok(known) => {
                if self.answer(all, &known) {
                    self.look_at_workers().await;
                }
            }
            Err(error) => {
                tracing::warn!(workers = heard.len(), %error, "could not note who was heard; trying again");
                self.keep(all);
            }
        }
    }

    /// Takes what was said since the last time.
    fn said(&self) -> (Vec<Of>, Vec<Progress>) {
        let (mut all, mut progress) = (Vec::new(), Vec::new());
        for (worker, open) in self.sessions().iter_mut().filter(|(_, open)| open.said.at.is_some()) {
            let said = std::mem::take(&mut open.said);
            for (key, status) in &said.progress {
                let Some(running) = open.running.get(key).filter(|running| !running.finishing) else { continue };
                let (appliance, limit) = (running.appliance(), running.step.policy().progress_limit);
                progress.push(Progress { task: *key, appliance, status: status.clone(), limit });
            }
            all.push(Of { worker: worker.clone(), session: open.id.clone(), said });
        }
        (all, progress)
    }

    /// Answers heartbeats; returns whether some were said in sessions that are not their worker's any more.
    fn answer(&self, all: Vec<Of>, known: &[WorkerId]) -> bool {
        let mut strangers = false;
        for Of { worker, session, said } in all {
            if !known.contains(&worker) {
                strangers = true;
                continue;
            }
            let Some(number) = said.beat else { continue };
            let sessions = self.sessions();
            let reads = sessions
                .get(&worker)
                .filter(|open| open.id == session)
                .is_none_or(|open| open.tell(Say::Heard(proto::Heard { number })));
            drop(sessions);
            if !reads {
                self.end_unread(&worker, &session);
            }
        }
        strangers
    }

    /// Puts back what could not be written down, behind what was said since.
    fn keep(&self, all: Vec<Of>) {
        let mut sessions = self.sessions();
        for Of { worker, session, said } in all {
            let Some(open) = sessions.get_mut(&worker).filter(|open| open.id == session) else { continue };
            open.said.at = open.said.at.max(said.at);
            open.said.beat = open.said.beat.max(said.beat);
            for (key, status) in said.progress {
                open.said.progress.entry(key).or_insert(status);
            }
        }
    }
}
