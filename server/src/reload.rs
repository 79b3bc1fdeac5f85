//! Configuration that changes while the server runs: read again on SIGHUP and when a file of it changes, and taken whole or not at all.
//!
//! Directories are watched, not files: editors and config maps put a new file in the place of the old one. What counts is what the files say,
//! so a change that changes nothing is no reload.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use sprout_app::App;
use sprout_config::ServerConfig;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::{Error, Settings, settings::Loaded};

/// Files are read when nothing more has changed for so long: several are often written one after the other.
const QUIET: Duration = Duration::from_millis(300);
/// A database that did not take what was read is asked again so much later.
const AGAIN: Duration = Duration::from_secs(5);

/// What files said, as numbers that differ if they do; 0: nothing. None: there is no such file, or none that can be read.
type Prints = BTreeMap<PathBuf, Option<u64>>;

/// What is needed to read configuration again.
pub(crate) struct Reload {
    app: Arc<App>,
    /// What the server was started with, and goes on with in what cannot change.
    started: ServerConfig,
    loaded: Loaded,
    print: Prints,
    hang_up: Signal,
    /// A file was found empty that is about to be written, be it with what it said before.
    emptied: bool,
}

/// What became of a try.
enum Outcome {
    /// Taken, or refused for what is in the files.
    Done,
    /// The database did not take it.
    Again,
}

impl Reload {
    /// From now on SIGHUP is no end.
    ///
    /// # Errors
    /// If it cannot be listened to.
    pub(crate) fn new(app: Arc<App>, started: ServerConfig, loaded: Loaded) -> Result<Self, Error> {
        let hang_up = signal(SignalKind::hangup()).map_err(Error::Signals)?;
        app.note_configuration(loaded.file_names(), loaded.notes.clone(), Vec::new());
        Ok(Self { app, started, print: print(&loaded.watched), loaded, hang_up, emptied: false })
    }

    /// Waits for reasons to read again, and does, until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        // One is enough: it only says that it is time to look.
        let (tell, mut news) = mpsc::channel(1);
        let mut files = self.loaded.watched.clone();
        let mut watcher = watch(&files, &tell);
        let _ = tell.try_send(());
        loop {
            let asked = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = self.hang_up.recv() => true,
                _ = news.recv() => {
                    while let Ok(Some(())) = timeout(QUIET, news.recv()).await {}
                    false
                }
            };
            while matches!(self.look(asked).await, Outcome::Again) {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    _ = self.hang_up.recv() => {}
                    () = sleep(AGAIN) => {}
                }
            }
            // Other files may be named now; and who asks may have put another directory in the place of one.
            if asked || self.loaded.watched != files {
                files.clone_from(&self.loaded.watched);
                drop(std::mem::replace(&mut watcher, watch(&files, &tell)));
                // What changed before is told by nobody.
                let _ = tell.try_send(());
            }
        }
    }

    /// Reads again, if the files say something else than before or if it was `asked` for.
    async fn look(&mut self, asked: bool) -> Outcome {
        let (watched, source) = (self.loaded.watched.clone(), self.loaded.source.clone());
        let before = self.print.clone();
        let asked = asked || self.emptied;
        let looked = spawn_blocking(move || {
            // Before the files are read: what changes meanwhile is seen as a change the next time.
            let print = print(&watched);
            (asked || print != before).then(|| (print, source.read()))
        });
        let (print, read) = match looked.await {
            Ok(Some(looked)) => looked,
            Ok(None) => return Outcome::Done,
            Err(error) => {
                self.refuse(&[format!("the configuration cannot be read: {error}")]);
                return Outcome::Done;
            }
        };
        // A program that writes a file in place empties it first. If that was meant, it can be removed.
        let emptied =
            print.iter().find(|(file, now)| **now == Some(0) && self.print.get(*file).is_some_and(|old| old > now));
        self.emptied = emptied.is_some();
        if let Some((file, _)) = emptied {
            self.refuse(&[format!(
                "{}: the file is empty all of a sudden; write it again, or remove it",
                file.display()
            )]);
            return Outcome::Done;
        }
        match read {
            Ok(settings) => self.take(settings, print).await,
            Err(error) => {
                self.print = print;
                self.refuse(&error.to_string().lines().map(str::to_owned).collect::<Vec<_>>());
                Outcome::Done
            }
        }
    }

    async fn take(&mut self, settings: Settings, print: Prints) -> Outcome {
        let Settings { server, catalogue, loaded } = settings;
        let (groups, providers) = (catalogue.groups.len(), catalogue.providers.len());
        if let Err(error) = self.app.set_catalogue(catalogue).await {
            self.refuse(&[format!("the database did not take it, so it is tried again: {error}")]);
            return Outcome::Again;
        }
        let waiting = self.started.needs_restart(&server);
        tracing::info!(groups, providers, "the configuration was read again and is in use");
        for note in &loaded.notes {
            tracing::warn!("{note}");
        }
        if !waiting.is_empty() {
            tracing::warn!(
                keys = waiting.join(", "),
                "these keys were changed, and take effect when the server starts again"
            );
        }
        // New ones are not used before they were seen to work, and templates are sorted into groups when they are listed.
        if let Err(error) = self.app.check_providers().await {
            tracing::warn!(%error, "providers are looked at when the job provider-check is due next");
        }
        let waiting = waiting.into_iter().map(str::to_owned).collect();
        self.app.note_configuration(loaded.file_names(), loaded.notes.clone(), waiting);
        // What is watched now and was not before is compared from now on.
        let news = loaded.watched.iter().any(|file| !print.contains_key(file));
        self.print = if news { self::print(&loaded.watched) } else { print };
        self.loaded = loaded;
        Outcome::Done
    }

    fn refuse(&self, mistakes: &[String]) {
        // Before it is said, so that whoever reads it finds it so.
        self.app.note_refused_configuration(mistakes.to_vec());
        for mistake in mistakes {
            tracing::error!("the new configuration is not used, the old one stays: {mistake}");
        }
    }
}

/// Watches the directories of files. Where that cannot be, SIGHUP is left.
fn watch(files: &[PathBuf], changed: &mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let changed = changed.clone();
    let names: BTreeSet<_> = files.iter().filter_map(|file| file.file_name().map(OsStr::to_owned)).collect();
    // Directories may hold much that changes all the time, such as a database. Config maps come by a link `..data`.
    let is_ours = move |path: &PathBuf| {
        path.file_name().is_some_and(|name| names.contains(name) || name.as_encoded_bytes().starts_with(b".."))
    };
    let told = move |event: notify::Result<Event>| {
        // That we read them is no change. What cannot be told may be one.
        let is_change = event.map_or(true, |event| match event.kind {
            EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write) => false,
            _ => event.paths.is_empty() || event.paths.iter().any(&is_ours),
        });
        if is_change {
            // Full: it is known already.
            let _ = changed.try_send(());
        }
    };
    let mut watcher = match notify::recommended_watcher(told) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "changes of configuration files are not noticed; send SIGHUP after a change");
            return None;
        }
    };
    let here = Path::new(".");
    let directory = |file: &PathBuf| match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => here.to_owned(),
    };
    for directory in files.iter().map(directory).collect::<BTreeSet<_>>() {
        if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive)
            && directory.exists()
        {
            let directory = directory.display();
            tracing::warn!(%error, %directory, "changes of configuration files are not noticed here; send SIGHUP after a change");
        }
    }
    Some(watcher)
}

/// Looks at what files say.
fn print(files: &[PathBuf]) -> Prints {
    let number = |file: &PathBuf| {
        let bytes = Zeroizing::new(std::fs::read(file).ok()?);
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Some(if bytes.is_empty() { 0 } else { hasher.finish().max(1) })
    };
    files.iter().map(|file| (file.clone(), number(file))).collect()
}
