//! A server with its own gateway, and more gateways in front of it.

use std::{fs, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use sprout_client::proto::user::{CreateUserGroupRequest, CreateUserRequest, Role};
use sprout_e2e::{AllInOne, LONG, Program, binary, free_ports, retry};
use tokio::{net::TcpStream, process::Command, time::timeout};

/// Of everyone.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Plays a test with a server.
pub(crate) fn play(test: impl AsyncFnOnce(&AllInOne) -> Result<()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a run time");
    let outcome = runtime.block_on(async {
        let world = AllInOne::start(Duration::from_millis(50)).await?;
        let played = timeout(LONG, test(&world)).await.context("the test took too long").flatten();
        played.with_context(|| format!("logs are in {}", world.keep_logs()))
    });
    if let Err(error) = outcome {
        panic!("{error:?}");
    }
}

/// A user, who may use the provider if somebody has put the provider into `testers`.
pub(crate) async fn user(world: &AllInOne, name: &str, role: Role) -> Result<()> {
    let user_groups = Vec::new();
    let new = CreateUserRequest {
        name: name.into(),
        password: PASSWORD.into(),
        role: role.into(),
        user_groups,
        ..Default::default()
    };
    world.client.users().create_user(new).await?;
    Ok(())
}

/// Lets users use the one provider.
pub(crate) async fn testers(world: &AllInOne, members: &[&str]) -> Result<()> {
    let new = CreateUserGroupRequest {
        name: "testers".into(),
        members: members.iter().map(|name| (*name).to_owned()).collect(),
        providers: vec!["simulated".into()],
    };
    world.client.user_groups().create_user_group(new).await?;
    Ok(())
}

/// Starts a gateway of its own in front of the server, with more lines in its configuration; returns it with its URL.
pub(crate) async fn gateway(world: &AllInOne, name: &str, more: &str) -> Result<(Arc<Program>, String)> {
    let (directory, port) = (world.directory(), free_ports(1)?[0]);
    let server = world.environment.iter().find(|(key, _)| key == "SPROUT_SERVER").context("no server")?.1.clone();
    let config = directory.join(format!("{name}.yaml"));
    let key = directory.join("shared.key");
    let text = format!(
        "web_gateway:\n  listen: 127.0.0.1:{port}\n  server: {server}\n  session_key_file: {}\n{more}",
        key.display()
    );
    fs::write(&config, text)?;
    let program = binary("sprout-web-gateway")?;
    let started = Program::start(name, directory, move || {
        let mut command = Command::new(&program);
        command.arg("--config").arg(&config).env("RUST_LOG", "info");
        command
    })
    .await?;
    until_it_listens(port).await?;
    let scheme = if more.contains("tls:") { "https" } else { "http" };
    Ok((started, format!("{scheme}://127.0.0.1:{port}")))
}

/// Waits until someone listens there.
pub(crate) async fn until_it_listens(port: u16) -> Result<()> {
    retry("someone listens", async || Ok(TcpStream::connect(("127.0.0.1", port)).await?)).await.map(drop)
}
