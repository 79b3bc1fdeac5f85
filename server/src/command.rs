//! Commands that work on the database and end.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use sprout_config::Time;
use sprout_domain::{Secret, WorkerId, user::Role};

use crate::{Error, Settings, wiring, wiring::Wired};

/// Longest password line read from stdin, in bytes.
const MAX_PASSWORD: u64 = 8192;

/// A superuser to be created.
#[derive(Debug, Clone, Args)]
pub struct CreateSuperuser {
    /// Name to sign in with
    #[arg(long)]
    name: String,
    /// Read the password from the first line of stdin, instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl CreateSuperuser {
    /// Creates it. `migrate`: make the schema current first.
    pub async fn run(self, settings: Settings, migrate: bool) -> Result<(), Error> {
        let password = password(self.password_stdin)?;
        if migrate {
            wiring::migrate(&settings.server).await?;
        }
        let wired = Wired::open(&settings.server, settings.catalogue).await?;
        let created = wired.app.create_user(&self.name, password, Role::Superuser).await;
        wired.close().await;
        let name = created?.name;
        say(&format!("superuser {name} is created; sign in with: sproutctl login {name}"));
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

fn password(from_stdin: bool) -> Result<Secret, Error> {
    let failed = |error: io::Error| Error::Password(error.to_string());
    if from_stdin {
        let mut line = String::new();
        io::Read::take(io::stdin().lock(), MAX_PASSWORD).read_line(&mut line).map_err(failed)?;
        return Ok(Secret::new(line.trim_end_matches(['\n', '\r'])));
    }
    if !io::stdin().is_terminal() {
        return Err(Error::Password("this is not a terminal".to_owned()));
    }
    let first = rpassword::prompt_password("Password: ").map_err(failed)?;
    let again = rpassword::prompt_password("Again: ").map_err(failed)?;
    if first != again {
        return Err(Error::Password("the two are not the same".to_owned()));
    }
    Ok(Secret::new(first))
}

fn say(line: &str) {
    // If stderr is gone, nobody listens.
    let _ = writeln!(io::stderr(), "{line}");
}
