//! The gateway with TLS of its own, and behind nginx.

use std::{env, fs, path::Path, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use reqwest::{Certificate, Client, Method, header::SET_COOKIE};
use sprout_client::proto::{
    event::{WatchRequest, WatchResponse},
    user::{WhoAmIRequest, WhoAmIResponse},
};
use sprout_e2e::free_ports;
use tokio::process::Command;

use super::{
    browser::{Browser, client},
    world::{PASSWORD, gateway, play, until_it_listens},
};

const WHO: &str = "user.v1.UserService/WhoAmI";

/// Makes a certificate for this machine; returns clients that trust it.
fn certified(directory: &Path) -> Result<Client> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    fs::write(directory.join("cert.pem"), made.cert.pem())?;
    fs::write(directory.join("key.pem"), made.signing_key.serialize_pem())?;
    let trusted = Certificate::from_pem(made.cert.pem().as_bytes())?;
    Ok(client().add_root_certificate(trusted).build()?)
}

#[test]
fn a_gateway_with_tls_keeps_sessions_in_cookies_for_tls_alone() {
    play(async |world| {
        let directory = world.directory();
        let http = certified(directory)?;
        let tls = format!("  tls: {{cert: {0}/cert.pem, key: {0}/key.pem}}\n", directory.display());
        let (gateway, url) = gateway(world, "tls", &tls).await?;
        signed_in_over_tls(&Browser::with(http.clone(), &url)).await?;
        let plain = url.replace("https://", "http://");
        ensure!(http.get(format!("{plain}/health")).send().await.is_err(), "nothing is said without TLS");
        gateway.stop().await
    });
}

async fn signed_in_over_tls(browser: &Browser) -> Result<()> {
    let body = format!(r#"{{"username": "admin", "password": "{PASSWORD}"}}"#);
    let request = browser.ask(Method::POST, "/session").header("content-type", "application/json").body(body);
    let response = browser.send(request).await?;
    ensure!(response.status() == 200, "{}", response.text().await?);
    let cookie = response.headers()[SET_COOKIE].to_str()?;
    ensure!(
        cookie.starts_with("__Host-sprout=") && cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"),
        "{cookie}"
    );
    let me: WhoAmIResponse = browser.call(WHO, &WhoAmIRequest {}).await?;
    ensure!(me.user.context("a user")?.name == "admin");
    let mut watch = browser.stream("event.v1.EventService/Watch", &WatchRequest::default()).await?;
    let first: WatchResponse = prost::Message::decode(&*watch.message().await?.context("a message")?)?;
    ensure!(first.event.is_none());
    Ok(())
}

/// The sample of `conf/nginx.conf` as it is, but for its names and ports.
#[test]
fn behind_nginx_as_in_the_sample() {
    let Some(nginx) = nginx() else {
        assert!(env::var_os("SPROUT_TEST_REQUIRE").is_none(), "nginx is missing; scripts/install.sh proxy");
        println!("skipped: nginx is not installed; see scripts/install.sh proxy");
        return;
    };
    play(async |world| {
        let (directory, ports) = (world.directory(), free_ports(2)?);
        let http = certified(directory)?;
        let (gateway, url) = gateway(world, "behind", "").await?;
        let sample = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../conf/nginx.conf"))?;
        let (plain, tls) = (ports[0].to_string(), ports[1].to_string());
        let site = [
            ("127.0.0.1:7680", url.strip_prefix("http://").context("an address")?),
            ("listen 80;", &format!("listen 127.0.0.1:{plain};")),
            ("listen [::]:80;", ""),
            ("listen 443 ssl http2;", &format!("listen 127.0.0.1:{tls} ssl http2;")),
            ("listen [::]:443 ssl http2;", ""),
            ("sprout.example", "127.0.0.1"),
            ("/etc/ssl/sprout.pem", &directory.join("cert.pem").display().to_string()),
            ("/etc/ssl/private/sprout.key", &directory.join("key.pem").display().to_string()),
        ]
        .into_iter()
        .try_fold(sample, |text, (from, to)| {
            ensure!(text.contains(from), "the sample has no `{from}`");
            Ok(text.replace(from, to))
        })?;
        let mut nginx = started(&nginx, directory, &site)?;
        until_it_listens(ports[1]).await?;
        let browser = Browser::with(http.clone(), &format!("https://127.0.0.1:{tls}"));
        signed_in_over_tls(&browser).await?;
        // Whoever comes without TLS is sent there, and gives no password away.
        let moved = client().redirect(reqwest::redirect::Policy::none()).build()?;
        let moved = moved.get(format!("http://127.0.0.1:{plain}/pools")).send().await?;
        ensure!(moved.status() == 301 && moved.headers()["location"].to_str()?.starts_with("https://"), "{moved:?}");
        nginx.kill().await?;
        gateway.stop().await
    });
}

fn nginx() -> Option<std::path::PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(std::path::PathBuf::from);
    env::split_paths(&path).chain(more).map(|dir| dir.join("nginx")).find(|path| path.is_file())
}

/// Runs it in the foreground, with everything it writes in this directory.
fn started(nginx: &Path, directory: &Path, site: &str) -> Result<tokio::process::Child> {
    let dir = directory.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {dir}/nginx-{name};\n"))
        .concat();
    let main = format!(
        "daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.log info;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{site}\n}}\n"
    );
    let config = directory.join("nginx.conf");
    fs::write(&config, main)?;
    let mut command = Command::new(nginx);
    command.arg("-c").arg(config).arg("-p").arg(directory).stdin(Stdio::null()).kill_on_drop(true);
    Ok(command.spawn()?)
}
