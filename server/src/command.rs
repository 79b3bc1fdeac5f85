//! Commands that work on the database and end.

use std::{
    env,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
};

use clap::Args;
use sprout_config::Time;
use sprout_domain::{
    Reason, Secret, WorkerId,
    user::{self, Role},
};

use crate::{Error, Settings, wiring, wiring::Wired};

/// Longest line read from stdin, in bytes.
const MAX_LINE: u64 = 8192;
/// Where a password may be that is neither piped nor typed.
const PASSWORD: &str = "SPROUT_PASSWORD";

/// A superuser to be created. What is not given is asked for, where there is a terminal.
#[derive(Debug, Clone, Args)]
pub struct CreateSuperuser {
    /// Name to sign in with [default: asked for]
    #[arg(long)]
    name: Option<String>,
    /// Read the password from the first line of stdin; else it is `SPROUT_PASSWORD`, or asked for
    #[arg(long)]
    password_stdin: bool,
    /// If there is a user of this name, leave it as it is, and succeed
    #[arg(long)]
    if_missing: bool,
}

impl CreateSuperuser {
    /// Creates it. `migrate`: make the schema current first.
    pub async fn run(self, settings: Settings, migrate: bool) -> Result<(), Error> {
        let name = self.name.map_or_else(ask_name, Ok)?;
        user::check_name(&name)?;
        let password = password(self.password_stdin)?;
        if migrate {
            wiring::migrate(&settings.server).await?;
        }
        let wired = Wired::open(&settings.server, settings.catalogue).await?;
        let created = wired.app.create_user(&name, password, Role::Superuser).await;
        wired.close().await;
        match created {
            Err(error) if error.reason == Reason::UserExists && self.if_missing => {
                say(&format!("there is a user {name} already, who is left as is; nothing was changed"));
            }
            created => {
                let name = created?.name;
                say(&format!("superuser {name} is created; sign in with: sproutctl login {name}"));
            }
        }
        Ok(())
    }
}

/// A worker that is to join.
#[derive(Debug, Clone, Args)]
pub struct CreateWorker {
    /// Id of the worker
    name: String,
    /// How long the token can be used, at most 7 days: 90s, 15m, 2h [default: 1h]
    #[arg(long, value_name = "TIME")]
    expires: Option<Time>,
}

impl CreateWorker {
    /// Makes a join token: the token on stdout, what to do with it on stderr.
    pub async fn run(self, settings: Settings) -> Result<(), Error> {
        let Self { name, expires } = self;
        let wired = Wired::open(&settings.server, settings.catalogue).await?;
        let made = wired.app.create_join_token(&WorkerId(name.clone()), expires.map(|time| time.0)).await;
        wired.close().await;
        let (token, expires_at) = made?;
        // This is the one place where it is to be seen.
        writeln!(io::stdout(), "{}", token.expose())
            .map_err(|error| Error::Ended(format!("the token cannot be told: {error}")))?;
        say(&format!(
            "worker {name} can join with this token once, until {}; write it into a file and start the worker with: sprout-worker \
             --id {name} --join-token-file FILE --server URL",
            expires_at.format("%Y-%m-%d %H:%M:%S UTC")
        ));
        Ok(())
    }
}

/// Makes the schema of the database current.
pub async fn migrate(settings: Settings) -> Result<(), Error> {
    let applied = wiring::migrate(&settings.server).await?;
    match applied.len() {
        0 => say("the database is up to date"),
        n => say(&format!("the database is up to date: {n} changes applied, the last one {}", applied[n - 1])),
    }
    Ok(())
}

/// The password: from stdin, from the environment, or typed twice, in this order.
fn password(from_stdin: bool) -> Result<Secret, Error> {
    if from_stdin {
        return Ok(Secret::new(line()?));
    }
    if let Some(password) = env::var(PASSWORD).ok().filter(|password| !password.is_empty()) {
        return Ok(Secret::new(password));
    }
    needs_terminal("password")?;
    let failed = |error: io::Error| Error::Password(error.to_string());
    let first = Secret::new(rpassword::prompt_password("Password: ").map_err(failed)?);
    // Before it is typed once more for nothing.
    user::check_password(&first)?;
    let again = rpassword::prompt_password("Again: ").map_err(failed)?;
    if first.expose() != again {
        return Err(Error::Password("the two are not the same".to_owned()));
    }
    Ok(first)
}

fn ask_name() -> Result<String, Error> {
    needs_terminal("name")?;
    let _ = write!(io::stderr(), "Name: ").and_then(|()| io::stderr().flush());
    Ok(line()?.trim().to_owned())
}

fn needs_terminal(what: &'static str) -> Result<(), Error> {
    if io::stdin().is_terminal() { Ok(()) } else { Err(Error::NotAsked(what)) }
}

/// A line of stdin.
fn line() -> Result<String, Error> {
    let mut line = String::new();
    let read = io::Read::take(io::stdin().lock(), MAX_LINE).read_line(&mut line);
    read.map_err(|error| Error::Password(error.to_string()))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn say(line: &str) {
    // If stderr is gone, nobody listens.
    let _ = writeln!(io::stderr(), "{line}");
}
