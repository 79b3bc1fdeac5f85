//! The walk through Sprout that newcomers are given to read runs as it is written, and leaves nothing behind.

use std::env;

use anyhow::{Context as _, Result, ensure};
use sprout_client::proto::event::{EventKind, ListEventsRequest};
use sprout_e2e::{DatabaseKind, Lab, LabOptions, ProviderKind, binary, run, scenario};
use tokio::process::Command;

/// A superuser that only the script makes.
const ADMIN: [(&str, &str); 2] = [("ADMIN", "walk-admin"), ("ADMIN_PASSWORD", "a long walk 4 everyone")];

/// The script, as somebody would call it who has built Sprout.
fn walkthrough(lab: &Lab, arguments: &[&str]) -> Result<Command> {
    let programs = binary("sproutctl")?;
    let mut path = programs.parent().context("a directory")?.as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").context("PATH")?);
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/walkthrough.sh"));
    let server = lab.environment.iter().filter(|(name, _)| name == "SPROUT_SERVER").cloned();
    command.args(arguments).envs(server).envs(ADMIN).env("PATH", path);
    Ok(command)
}

/// Twice, because what is there from the first time must not be in the way of the second.
async fn it_goes_as_it_is_told(lab: Lab) -> Result<Lab> {
    let config = lab.directory().join("sprout.yaml").display().to_string();
    for _ in 0..2 {
        let walk = run(&mut walkthrough(&lab, &["--config", &config, "demo", "lab"])?, "").await?;
        let (told, error) = (String::from_utf8_lossy(&walk.stdout), String::from_utf8_lossy(&walk.stderr));
        ensure!(walk.status.success(), "it ended with {}:\n{told}\n{error}", walk.status);
        ensure!(told.trim_end().ends_with("All went as told."), "{told}");
        for wanted in ["checked: two of the three are there already (2)", "checked: all three are ready (3)"] {
            ensure!(told.contains(wanted), "it never said {wanted}:\n{told}");
        }
        lab.until_nothing_is_left().await?;
    }
    let kinds = vec![EventKind::ApplianceGranted.into()];
    let granted = ListEventsRequest { kinds, page_size: 100, ..ListEventsRequest::default() };
    let granted = lab.client.events().list_events(granted).await?.into_inner().events;
    ensure!(granted.len() >= 4, "two warm ones were granted each time, but there are only {granted:?}");
    Ok(lab)
}

/// What somebody gets who calls it wrongly, or for what is not there.
async fn mistakes_are_told(lab: Lab) -> Result<Lab> {
    let config = lab.directory().join("sprout.yaml").display().to_string();
    let (none, wrong): (&[&str], &[&str]) = (&["--config", &config, "demo", "elsewhere"], &["demo"]);
    for (arguments, code, says) in [(none, 1, "elsewhere"), (wrong, 2, "GROUP and PROVIDER are needed")] {
        let walk = run(&mut walkthrough(&lab, arguments)?, "").await?;
        let error = String::from_utf8_lossy(&walk.stderr);
        ensure!(walk.status.code() == Some(code) && error.contains(says), "{}: {error}", walk.status);
    }
    Ok(lab)
}

#[test]
fn sqlite_container_it_goes_as_it_is_told() {
    scenario(DatabaseKind::Sqlite, ProviderKind::Container, it_goes_as_it_is_told, LabOptions::default());
}

#[test]
fn postgres_container_it_goes_as_it_is_told() {
    scenario(DatabaseKind::Postgres, ProviderKind::Container, it_goes_as_it_is_told, LabOptions::default());
}

#[test]
fn sqlite_container_mistakes_are_told() {
    scenario(DatabaseKind::Sqlite, ProviderKind::Container, mistakes_are_told, LabOptions::default());
}
