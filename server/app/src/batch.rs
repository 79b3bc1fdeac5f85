//! Group commit: questions that arrive while one transaction is in flight share the next one.

use std::{
    future::Future,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sprout_domain::{Error, Result};
use tokio::sync::oneshot;

/// Questions that wait for their turn. One batch is answered at a time, in the order of arrival.
pub(crate) struct Batch<Q, A> {
    /// At most this many share a transaction.
    most: usize,
    queue: Mutex<Queue<Q, A>>,
}

struct Queue<Q, A> {
    /// Someone answers, and will look here again.
    busy: bool,
    waiting: Vec<(Q, oneshot::Sender<Result<A>>)>,
}

impl<Q: Send + 'static, A: Send + 'static> Batch<Q, A> {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, queue: Mutex::new(Queue { busy: false, waiting: Vec::new() }) })
    }

    /// Asks, and waits for the answer. `answer` gives one answer per question, in order. A question is answered although its asker has left:
    /// what it asks for is repeated with the same id, or not at all.
    pub(crate) async fn ask<F>(
        self: &Arc<Self>,
        question: Q,
        answer: impl Fn(Vec<Q>) -> F + Send + 'static,
    ) -> Result<A>
    where
        F: Future<Output = Vec<Result<A>>> + Send,
    {
        let (sender, receiver) = oneshot::channel();
        let begin = {
            let mut queue = self.queue();
            queue.waiting.push((question, sender));
            !mem::replace(&mut queue.busy, true)
        };
        if begin {
            let batch = self.clone();
            // Not by the asker itself: if it leaves, the others still wait.
            tokio::spawn(async move { batch.answer_all(answer).await });
        }
        receiver.await.map_err(|_| Error::internal("a batch ended without an answer"))?
    }

    async fn answer_all<F>(&self, answer: impl Fn(Vec<Q>) -> F)
    where
        F: Future<Output = Vec<Result<A>>> + Send,
    {
        // If answering panics, those who wait learn it, and the next one begins anew.
        let _idle = Idle(self);
        loop {
            let batch: Vec<_> = {
                let mut queue = self.queue();
                if queue.waiting.is_empty() {
                    queue.busy = false;
                    return;
                }
                let count = queue.waiting.len().min(self.most);
                queue.waiting.drain(..count).collect()
            };
            let (questions, senders): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            for (sender, answer) in senders.into_iter().zip(answer(questions).await) {
                let _ = sender.send(answer); // whoever left does not hear it
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Q, A>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Idle<'a, Q, A>(&'a Batch<Q, A>);

impl<Q, A> Drop for Idle<'_, Q, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.busy = false;
            queue.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn those_who_come_while_one_is_answered_share_the_next() {
        let batch = Batch::<usize, usize>::new(4);
        let (gate, rounds) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let ask = |n: usize| {
            let (batch, gate, rounds) = (batch.clone(), gate.clone(), rounds.clone());
            tokio::spawn(async move {
                batch
                    .ask(n, move |asked| {
                        let (gate, rounds) = (gate.clone(), rounds.clone());
                        async move {
                            gate.acquire().await.unwrap().forget();
                            rounds.fetch_add(1, Ordering::SeqCst);
                            asked
                                .into_iter()
                                .map(|n| if n == 3 { Err(Error::internal("three")) } else { Ok(n * 10) })
                                .collect()
                        }
                    })
                    .await
            })
        };
        let asked: Vec<_> = (0..6).map(ask).collect();
        gate.add_permits(10);
        for (n, answer) in asked.into_iter().enumerate() {
            assert_eq!(answer.await.unwrap().ok(), (n != 3).then_some(n * 10));
        }
        assert!(rounds.load(Ordering::SeqCst) <= 3, "{rounds:?}");
    }

    #[tokio::test]
    async fn a_panic_is_told_and_does_not_last() {
        let batch = Batch::<u8, u8>::new(4);
        let answer = |asked: Vec<u8>| async move {
            assert_ne!(asked, [1]);
            asked.into_iter().map(Ok).collect()
        };
        assert!(batch.ask(1, answer).await.is_err());
        assert_eq!(batch.ask(2, answer).await, Ok(2));
    }
}
