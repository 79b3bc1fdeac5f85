//! The signals that end a checkout, and how the program that runs gets them.

use std::{fs::File, io};

use rustix::{
    process::{Pid, Signal, getpgrp, kill_process},
    termios::tcgetpgrp,
};
use tokio::signal::unix::{self, SignalKind, signal};

use crate::failure::Failure;

/// A signal that asks for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// Ctrl-C.
    Interrupt,
    /// Somebody wants the process to end.
    Terminate,
    /// The terminal is gone.
    HangUp,
}

impl Caught {
    /// The exit code of what it ended.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::HangUp => 128 + 1,
            Self::Interrupt => 128 + 2,
            Self::Terminate => 128 + 15,
        }
    }

    /// Sends it to a program of ours, unless it has got it already: a Ctrl-C goes to all that run in front of the terminal,
    /// and programs take a second one for impatience.
    pub(super) fn forward(self, to: u32) -> io::Result<()> {
        let signal = match self {
            Self::Interrupt if is_in_front() => return Ok(()),
            Self::Interrupt => Signal::INT,
            Self::Terminate => Signal::TERM,
            Self::HangUp => Signal::HUP,
        };
        send(to, signal)
    }
}

/// Ends a program that does not listen.
pub(super) fn kill(program: u32) -> io::Result<()> {
    send(program, Signal::KILL)
}

fn send(to: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(to).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, signal)?)
}

/// Whether we are what the terminal sends its Ctrl-C to.
fn is_in_front() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|front| front == getpgrp()))
}

/// All of them, from the moment this is made; none is lost between two looks.
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|source| Failure::Io { what: "signals cannot be waited for".to_owned(), source })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.interrupt.recv() => Caught::Interrupt,
            _ = self.terminate.recv() => Caught::Terminate,
            _ = self.hang_up.recv() => Caught::HangUp,
        }
    }
}
