//! Crash points: places where a test lets this process die, as if it were killed or its machine failed right there.
//!
//! In debug builds, where the environment variable `SPROUT_CRASH_AT` holds the name of a point (or several, with commas
//! between), the process kills itself with SIGKILL on reaching it. With `SPROUT_CRASH_ONCE_DIR` set to a directory, a file of
//! the point's name is created there first, and a point whose file is there does not fire: a restarted process goes on.
//! The worker's points are `worker.<step>.before` (nothing done yet) and `worker.<step>.after` (acted, result not yet sent),
//! with the steps named as in `sprout.task.v1.StepInput`. Release builds contain none of this.

/// Dies here, at the point `worker.<step>.<place>`, if the environment asks for it.
#[cfg(debug_assertions)]
pub(crate) fn crash_point(step: &str, place: &str) {
    /// Whoever dies keeps it: of two points reached at once, the second is for the next life.
    static DYING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let Ok(wanted) = std::env::var("SPROUT_CRASH_AT") else { return };
    let name = &format!("worker.{step}.{place}");
    let once = std::env::var_os("SPROUT_CRASH_ONCE_DIR").map(std::path::PathBuf::from);
    let _dying = DYING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if fires(name, &wanted, once.as_deref()) {
        tracing::warn!(point = name, "crash point reached: dying");
        die();
    }
}

/// Release builds have no crash points.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn crash_point(_step: &str, _place: &str) {}

#[cfg(debug_assertions)]
fn fires(name: &str, wanted: &str, once: Option<&std::path::Path>) -> bool {
    if !wanted.split(',').any(|point| point.trim() == name) {
        return false;
    }
    // Creating the file is the test and the mark in one: two processes never both die for one entry.
    once.is_none_or(|dir| match std::fs::File::create_new(dir.join(name)) {
        Ok(_) => true,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) => {
            tracing::error!(point = name, %error, "SPROUT_CRASH_ONCE_DIR cannot be written; the crash point does not fire");
            false
        }
    })
}

/// SIGKILL from a shell: sending it from here would need unsafe code. Nothing runs on, neither here nor there.
#[cfg(debug_assertions)]
fn die() -> ! {
    let killed = std::process::Command::new("sh").args(["-c", &format!("kill -KILL {}", std::process::id())]).status();
    tracing::error!(?killed, "a shell did not kill this process; aborting");
    std::process::abort()
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use std::{
        os::unix::process::ExitStatusExt as _,
        process::{Command, Stdio},
    };

    use super::{crash_point, fires};

    /// Run by the next test, in a process of its own.
    #[test]
    #[ignore = "dies where the environment asks for it"]
    fn victim() {
        crash_point("clone", "before");
        crash_point("clone", "after");
    }

    #[test]
    fn the_process_is_killed_once() {
        let dir = tempfile::tempdir().unwrap();
        let run = || {
            let mut victim = Command::new(std::env::current_exe().unwrap());
            victim.args(["--exact", "--ignored", "crash::tests::victim"]).stdout(Stdio::null()).stderr(Stdio::null());
            victim.env("SPROUT_CRASH_AT", "worker.clone.after").env("SPROUT_CRASH_ONCE_DIR", dir.path());
            victim.status().unwrap()
        };
        assert_eq!(run().signal(), Some(9));
        assert!(run().success(), "the second time it goes on");
    }

    #[test]
    fn a_point_fires_when_it_is_named() {
        assert!(fires("worker.clone.after", "worker.tag.before, worker.clone.after", None));
        assert!(!fires("worker.clone.after", "worker.clone.before", None));
    }

    #[test]
    fn a_point_fires_once_per_directory() {
        let dir = tempfile::tempdir().unwrap();
        assert!(fires("worker.clone.after", "worker.clone.after", Some(dir.path())));
        assert!(!fires("worker.clone.after", "worker.clone.after", Some(dir.path())));
        assert!(!fires("worker.stop.after", "worker.stop.after", Some(&dir.path().join("missing"))));
    }
}
