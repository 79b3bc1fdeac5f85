//! The commands that run scripts and write files, for any POSIX shell. What they did is on the disk when they end: the power may be cut next.

use std::{collections::HashMap, fmt::Write as _};

use sprout_proto::task::{Script, Upload};

use super::{Bounds, Ended, Line, Session, Trouble};

/// Runs a script. One that an earlier try left running is ended first: two of them at once would do what neither does alone.
pub(crate) async fn run_script(
    session: &Session,
    key: u64,
    script: &Script,
    environment: &HashMap<String, String>,
    bounds: Bounds,
    say: impl FnMut(Line<'_>),
) -> Result<Ended, Trouble> {
    let command = script_command(key, &script.text, environment);
    session.run(&command, script.text.as_bytes(), bounds, say).await
}

/// Writes a file: whole, or not at all.
pub(crate) async fn write_file(
    session: &Session,
    upload: &Upload,
    bounds: Bounds,
    say: impl FnMut(Line<'_>),
) -> Result<Ended, Trouble> {
    session.run(&upload_command(upload), &upload.content, bounds, say).await
}

/// The script comes as input, so that it can be of any length; it has none itself, so that it cannot read on in its own text. Its process and those that it
/// began are remembered with the boot they belong to, for whoever comes after a connection that was lost. Who was ended by that one
/// leaves alone what is not its own any more.
fn script_command(key: u64, text: &str, environment: &HashMap<String, String>) -> String {
    let mut exports: Vec<_> = environment.iter().collect();
    exports.sort_unstable();
    let exports = exports.into_iter().fold(String::new(), |mut all, (name, value)| {
        let _ = writeln!(all, "export {name}={}", quoted(value)); // writing to a string cannot fail
        all
    });
    let interpreter = interpreter(text);
    wrapped(&format!(
        r#"umask 077
f=/tmp/.sprout-{key}
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
if [ -f "$f.running" ]; then
  p= b=
  read -r p b <"$f.running"
  rm -f "$f".*
  if [ -n "$p" ] && [ "$b" = "$boot" ]; then kill -9 -- "-$p" 2>/dev/null || kill -9 "$p" 2>/dev/null; fi
fi
cat >"$f.$$" || exit 1
umask 022
{exports}s=
if command -v setsid >/dev/null 2>&1; then s=setsid; fi
$s {interpreter} "$f.$$" </dev/null &
p=$!
echo "$p $boot" >"$f.running"
wait "$p"
r=$?
rm -f "$f.$$"
q=
if [ -f "$f.running" ]; then read -r q b <"$f.running"; fi
if [ "$q" = "$p" ]; then rm -f "$f.running"; fi
sync
exit "$r""#
    ))
}

fn upload_command(upload: &Upload) -> String {
    let (path, mode) = (quoted(&upload.path), upload.mode);
    wrapped(&format!(
        r#"umask 077
f={path}
mkdir -p "${{f%/*}}/" && cat >"$f.sprout-part" && chmod {mode:o} "$f.sprout-part" && mv -f "$f.sprout-part" "$f" && sync"#
    ))
}

/// What runs the script: what its first line says.
fn interpreter(text: &str) -> String {
    let words = text.lines().next().and_then(|line| line.strip_prefix("#!")).map(str::split_whitespace);
    let words: Vec<_> = words.into_iter().flatten().map(quoted).collect();
    if words.is_empty() { "sh".to_owned() } else { words.join(" ") }
}

/// Whatever shell the user has, this one runs the command.
fn wrapped(command: &str) -> String {
    format!("exec sh -c {}", quoted(command))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_first_line_says_what_runs_a_script() {
        assert_eq!(interpreter("echo"), "sh");
        assert_eq!(interpreter("#!/usr/bin/env python3 -u\nx"), "'/usr/bin/env' 'python3' '-u'");
        assert_eq!(interpreter("#!\n"), "sh");
    }

    #[test]
    fn quotes_hold_anything() {
        let out =
            Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted("a'b $HOME `x` \\ \""))).output().unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), "a'b $HOME `x` \\ \"");
    }

    #[test]
    fn what_an_earlier_try_left_running_is_ended_first() {
        let key = u64::from(std::process::id()) << 20;
        let run = |text: &str| {
            let mut child = Command::new("sh")
                .arg("-c")
                .arg(script_command(key, text, &[("SPROUT_X".to_owned(), "it's".to_owned())].into()))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
            child
        };
        let mut first = run("echo begun; exec sleep 1000");
        let mut begun = [0_u8; 6];
        std::io::Read::read_exact(first.stdout.as_mut().unwrap(), &mut begun).unwrap();
        // It is remembered a moment after it began.
        while !std::path::Path::new(&format!("/tmp/.sprout-{key}.running")).exists() {
            std::thread::yield_now();
        }
        let second = run("echo \"$SPROUT_X\"; exit 7").wait_with_output().unwrap();
        assert_eq!((String::from_utf8(second.stdout).unwrap().as_str(), second.status.code()), ("it's\n", Some(7)));
        assert_eq!(first.wait().unwrap().code(), Some(128 + 9), "the first one is ended");
    }
}
