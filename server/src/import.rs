//! `sprout-server import-legacy`: takes over what the service before knew of users.

use std::io::{self, Write as _};

use clap::Args;
use sprout_app::ImportReport;
use sprout_domain::Secret;
use sprout_store::{StoreOptions, read_legacy};

use crate::{Error, Settings, wiring::Wired};

/// Where the URL may be, so that a password in it is not seen by other users of the machine.
const VARIABLE: &str = "SPROUT_LEGACY_DATABASE";

/// What to take over.
#[derive(Debug, Clone, Args)]
pub struct ImportLegacy {
    /// Database of the service before, in which nothing is changed: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`
    #[arg(long, value_name = "URL", env = VARIABLE, hide_env_values = true)]
    database: String,
    /// Say what would be taken over, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl ImportLegacy {
    /// Takes it over, and says on stdout what came of it.
    pub async fn run(self, settings: Settings) -> Result<(), Error> {
        let legacy = read_legacy(&StoreOptions::new(Secret::new(self.database))).await?;
        let wired = Wired::open(&settings.server, settings.catalogue).await?;
        let imported = wired.app.import_legacy(&legacy, self.dry_run).await;
        wired.close().await;
        let text = text(&imported?, self.dry_run);
        write!(io::stdout(), "{text}")
            .map_err(|error| Error::Ended(format!("what was taken over cannot be told: {error}")))
    }
}

fn text(report: &ImportReport, dry_run: bool) -> String {
    let ImportReport { users, user_groups, shepherds, left } = report;
    let how = if dry_run { "would be taken over; nothing was changed" } else { "were taken over" };
    let mut text = format!("{users} users, {user_groups} user groups and {shepherds} shepherds {how}.\n");
    if *users > 0 {
        text += "Users sign in with the passwords they had; the first time, these are stored anew.\n";
    }
    if !left.is_empty() {
        text += "\nNot taken over:\n";
        for one in left {
            text.extend(["- ", &one.what, ": ", &one.why, "\n"]);
        }
    }
    text
}
