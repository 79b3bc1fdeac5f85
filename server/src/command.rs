//! Commands that work on the database and end.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
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

/// Makes a token for a worker: the token on stdout, what to do with it on stderr.
pub async fn create_worker(settings: Settings, name: String) -> Result<(), Error> {
    let wired = Wired::open(&settings.server, settings.catalogue).await?;
    let token = wired.app.create_worker_token(&WorkerId(name.clone())).await;
    wired.close().await;
    let token = token?;
    // This is the one place where it is to be seen.
    writeln!(io::stdout(), "{}", token.expose())
        .map_err(|error| Error::Ended(format!("the token cannot be told: {error}")))?;
    say(&format!(
        "the token of worker {name} is not shown again; start the worker with: SPROUT_WORKER_TOKEN=TOKEN sprout-worker --id {name} \
         --server URL"
    ));
    Ok(())
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
