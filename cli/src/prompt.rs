//! What is asked of the person at the terminal: passwords, and whether they are sure.

use std::io::{self, BufRead as _, IsTerminal as _};

use sprout_conf::Secret;

use crate::{failure::Failure, output::Printer};

fn interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Reads a password: from the terminal without echo (twice if it is a new one), else the first line of standard input.
pub(crate) fn password(from_stdin: bool, prompt: &str, is_new: bool) -> Result<Secret, Failure> {
    let unreadable = |source| Failure::Io { what: "the password cannot be read".to_owned(), source };
    let password = if from_stdin || !interactive() {
        line("password")?
    } else {
        let password = rpassword::prompt_password(prompt).map_err(unreadable)?;
        if is_new && rpassword::prompt_password("The same again: ").map_err(unreadable)? != password {
            return Err(Failure::Declined("the passwords differ; nothing was changed".to_owned()));
        }
        password
    };
    if password.is_empty() {
        return Err(Failure::Usage {
            message: "the password is empty".to_owned(),
            hint: "type it at the prompt, or give it as the first line of standard input".to_owned(),
        });
    }
    Ok(Secret::from(password))
}

/// Reads a user name from the terminal.
pub(crate) fn name(out: &Printer) -> Result<String, Failure> {
    if !interactive() {
        return Err(Failure::Usage {
            message: "whose password is it?".to_owned(),
            hint: "name the user: `sproutctl login NAME --password-stdin`".to_owned(),
        });
    }
    out.ask("User: ");
    line("name")
}

/// The name of what is lost, typed at the terminal after a warning.
pub(crate) fn retype(out: &Printer, question: &str, hint: &str) -> Result<String, Failure> {
    if !interactive() {
        return Err(Failure::Usage {
            message: format!("{question} Nobody is there to confirm it"),
            hint: hint.to_owned(),
        });
    }
    out.ask(&format!("{question} Type its name to confirm: "));
    Ok(line("name")?.trim().to_owned())
}

/// Goes on only with a yes: typed at the terminal, or given as --yes.
pub(crate) fn confirm(out: &Printer, yes: bool, question: &str, declined: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !interactive() {
        return Err(Failure::Usage {
            message: format!("{question} Nobody is there to say yes"),
            hint: "repeat the command with --yes".to_owned(),
        });
    }
    out.ask(&format!("{question} [y/N] "));
    match line("answer")?.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Declined(declined.to_owned())),
    }
}

fn line(what: &str) -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|source| Failure::Io { what: format!("the {what} cannot be read"), source })?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
