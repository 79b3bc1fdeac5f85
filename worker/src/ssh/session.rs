//! One connection to an SSH server, signed in, and what is run over it.

use russh::{ChannelMsg, Disconnect, client};
use tokio::time::{Duration, Instant, timeout_at};

use super::{Keys, Trouble};

/// Lines of output longer than this are told in parts.
const LINE: usize = 4_000;

/// What a command may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// All of it.
    pub(crate) until: Instant,
    /// Between two things that it says.
    pub(crate) silence: Option<Duration>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this status.
    Status(u32),
    /// By a signal.
    Signal(String),
    /// It did not, within its time.
    Late,
    /// It did not, and said nothing for too long.
    Silent,
}

/// Something that a command said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// As its output.
    Output(&'a str),
    /// Beside that.
    Beside(&'a str),
}

/// A connection.
pub(crate) struct Session {
    handle: client::Handle<Keys>,
    at: String,
}

impl Session {
    pub(super) fn new(handle: client::Handle<Keys>, at: String) -> Self {
        Self { handle, at }
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Runs a command with this input, and tells what it says, line by line.
    pub(crate) async fn run(
        &self,
        command: &str,
        input: &[u8],
        bounds: Bounds,
        mut say: impl FnMut(Line<'_>),
    ) -> Result<Ended, Trouble> {
        let lost = |error: russh::Error| self.lost(&error.to_string());
        let opening = async {
            let channel = self.handle.channel_open_session().await.map_err(lost)?;
            channel.exec(true, command).await.map_err(lost)?;
            Ok(channel)
        };
        let Ok(opened) = timeout_at(bounds.until, opening).await else { return Ok(Ended::Late) };
        let (mut reader, writer) = opened?.split();
        let feeding = async {
            // Who does not read its input has its reasons, and its status says which.
            if writer.data(input).await.is_ok() {
                let _ = writer.eof().await;
            }
        };
        let mut feeding = std::pin::pin!(feeding);
        let (mut fed, mut ended) = (false, None);
        let (mut output, mut beside) = (Lines::default(), Lines::default());
        let mut heard = Instant::now();
        loop {
            let silent = bounds.silence.map(|silence| heard + silence).filter(|at| *at < bounds.until);
            let message = tokio::select! {
                biased;
                () = &mut feeding, if !fed => {
                    fed = true;
                    continue;
                }
                message = timeout_at(silent.unwrap_or(bounds.until), reader.wait()) => message,
            };
            match message {
                Err(_) => {
                    let _ = writer.close().await; // it is given up
                    return Ok(if silent.is_some() { Ended::Silent } else { Ended::Late });
                }
                Ok(None | Some(ChannelMsg::Close)) => {
                    output.end(|line| say(Line::Output(line)));
                    beside.end(|line| say(Line::Beside(line)));
                    return ended.ok_or_else(|| self.lost("before the command did"));
                }
                Ok(Some(ChannelMsg::Data { data })) => {
                    heard = Instant::now();
                    output.take(&data, |line| say(Line::Output(line)));
                }
                Ok(Some(ChannelMsg::ExtendedData { data, .. })) => {
                    heard = Instant::now();
                    beside.take(&data, |line| say(Line::Beside(line)));
                }
                Ok(Some(ChannelMsg::ExitStatus { exit_status })) => ended = Some(Ended::Status(exit_status)),
                Ok(Some(ChannelMsg::ExitSignal { signal_name, .. })) => {
                    ended = Some(Ended::Signal(format!("{signal_name:?}")));
                }
                Ok(Some(ChannelMsg::Failure)) => {
                    return Err(Trouble::Unusable(format!("the SSH server at {} runs no commands", self.at)));
                }
                Ok(Some(_)) => {}
            }
        }
    }

    /// Ends it.
    pub(crate) async fn close(self) {
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "en").await; // it ends anyway
    }

    fn lost(&self, how: &str) -> Trouble {
        Trouble::Lost(format!("the connection to the SSH server at {} ended: {how}", self.at))
    }
}

/// Lines of what comes in pieces.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn take(&mut self, data: &[u8], mut say: impl FnMut(&str)) {
        for part in data.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") || part.ends_with(b"\r") || self.begun.len() >= LINE {
                self.end(&mut say);
            }
        }
    }

    fn end(&mut self, mut say: impl FnMut(&str)) {
        let begun = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&begun);
        let line = text.trim_end();
        if !line.is_empty() {
            say(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_long_ones_cut() {
        let (mut lines, mut said) = (Lines::default(), Vec::new());
        for piece in ["one\ntw", "o\r\n\nthree", &"x".repeat(LINE), "end"] {
            lines.take(piece.as_bytes(), |line| said.push(line.to_owned()));
        }
        lines.end(|line| said.push(line.to_owned()));
        assert_eq!(said[..2], ["one", "two"]);
        assert!(said[2].starts_with("threexxx") && said[2].len() >= LINE, "{}", said[2].len());
        assert_eq!(said[3..], ["end"]);
    }
}
