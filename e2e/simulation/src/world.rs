//! What everything in one simulation shares: its time, its chance, its weather, and the trace of what happened.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    hash::{DefaultHasher, Hasher as _},
    ops::Range,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use sprout_domain::Timestamp;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Lines of the trace that are kept for people; all of them count for its hash.
const TAIL: usize = 400;

/// One in so many worlds has machines that break.
const BREAKING: u32 = 25;

/// Work beside the simulation is asked this often whether it goes on, in real time.
const AGAIN: Duration = Duration::from_micros(200);

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// One simulated world.
pub(crate) struct World {
    begun: Instant,
    chance: Mutex<fastrand::Rng>,
    trace: Mutex<Trace>,
    stormy: AtomicBool,
    /// Machines break in it: what waits for them waits long, so that few worlds are of this kind.
    breaks: bool,
    commits: AtomicU64,
    violations: Mutex<BTreeSet<String>>,
    /// The run time whose time is real, in which databases work.
    outside: Handle,
    whole_trace: bool,
}

#[derive(Default)]
struct Trace {
    hash: DefaultHasher,
    tail: VecDeque<String>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    /// A world in fine weather that begins now, in a run time whose time stands still.
    pub(crate) fn new(seed: u64, outside: Handle, whole_trace: bool) -> Arc<Self> {
        let mut chance = fastrand::Rng::with_seed(seed);
        Arc::new(Self {
            begun: Instant::now(),
            breaks: chance.u32(0..BREAKING) == 0,
            chance: Mutex::new(chance),
            trace: Mutex::default(),
            stormy: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            violations: Mutex::default(),
            outside,
            whole_trace,
        })
    }

    /// Time since the world began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What the database's clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        let begun = Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        begun + self.elapsed()
    }

    /// Things go wrong from now on, or no longer do.
    pub(crate) fn storm(&self, stormy: bool) {
        self.note("world", if stormy { "things go wrong" } else { "things go well" });
        self.stormy.store(stormy, Ordering::Relaxed);
    }

    /// Whether things go wrong now.
    pub(crate) fn stormy(&self) -> bool {
        self.stormy.load(Ordering::Relaxed)
    }

    /// Whether machines may vanish, or never boot.
    pub(crate) fn breaks(&self) -> bool {
        self.breaks
    }

    /// In a storm, true once in `times`.
    pub(crate) fn mishap(&self, times: u32) -> bool {
        self.stormy() && self.once_in(times)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&self, times: u32) -> bool {
        self.chance().u32(0..times) == 0
    }

    /// A number.
    pub(crate) fn number(&self, range: Range<u32>) -> u32 {
        self.chance().u32(range)
    }

    /// A length of time in milliseconds.
    pub(crate) fn some_time(&self, milliseconds: Range<u64>) -> Duration {
        Duration::from_millis(self.chance().u64(milliseconds))
    }

    /// One of these; none of none.
    pub(crate) fn choose<T: Clone>(&self, among: &[T]) -> Option<T> {
        let count = among.len();
        if count == 0 { None } else { among.get(self.chance().usize(0..count)).cloned() }
    }

    /// The number of the next commit, from 1.
    pub(crate) fn next_commit(&self) -> u64 {
        self.commits.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Commits so far.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Does something with a database to its end, which takes no time here: all tasks of this thread wait meanwhile.
    pub(crate) fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let _outside = self.outside.enter();
        let mut work = pin!(tokio::task::unconstrained(work));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match work.as_mut().poll(&mut context) {
                Poll::Ready(done) => return done,
                // What yields is woken by the scheduler it runs in, which here is one that waits: so it is also asked again by itself.
                Poll::Pending => thread::park_timeout(AGAIN),
            }
        }
    }

    /// Writes down what happened, and whom.
    pub(crate) fn note(&self, whom: &str, what: impl fmt::Display) {
        let line = format!("{:>10.3} {whom}: {what}", self.elapsed().as_secs_f64());
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        trace.hash.write(line.as_bytes());
        if !self.whole_trace && trace.tail.len() == TAIL {
            trace.tail.pop_front();
        }
        trace.tail.push_back(line);
    }

    /// Writes down that something happened that must never.
    pub(crate) fn violation(&self, what: String) {
        self.note("VIOLATION", &what);
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
    }

    /// All that happened and must never.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A hash of all that happened, and the last lines of it.
    pub(crate) fn trace(&self) -> (u64, Vec<String>) {
        let trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        (trace.hash.finish(), trace.tail.iter().cloned().collect())
    }

    fn chance(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.chance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One life of one process. It ends once; who comes back has a new one.
#[derive(Debug, Clone)]
pub(crate) struct Life(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    ended: CancellationToken,
    frozen_until: Mutex<Option<Instant>>,
}

impl Life {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self(Arc::new(Inner { name: name.into(), ended: CancellationToken::new(), frozen_until: Mutex::default() }))
    }

    /// Who lives it.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Ends it: nothing it does has any effect from here on.
    pub(crate) fn end(&self) {
        self.0.ended.cancel();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.ended.is_cancelled()
    }

    /// Ends with this life.
    pub(crate) async fn over(&self) {
        self.0.ended.cancelled().await;
    }

    /// Nothing goes in or out for a while.
    pub(crate) fn freeze(&self, time: Duration) {
        *self.0.frozen_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    /// Goes on when this life does: not while it is frozen, and never after its end.
    pub(crate) async fn goes_on(&self) {
        loop {
            if self.is_over() {
                std::future::pending::<()>().await;
            }
            let until = *self.0.frozen_until.lock().unwrap_or_else(PoisonError::into_inner);
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if !left.is_zero() => sleep(left).await,
                _ => return,
            }
        }
    }
}
