//! Workers join a server that has TLS of a private authority: with real processes, of which some are killed, and some claim to be others.

use std::{
    fs::{self, File},
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;
use sprout_e2e::{DatabaseKind, binary, retry, run};
use sprout_test_support::database::EmptyDatabase;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

const PASSWORD: &str = "correct horse battery";
/// Everything that a process is to do here takes less.
const SOON: Duration = Duration::from_secs(30);

/// A server with TLS, and whatever talks to it.
struct Place {
    url: String,
    directory: tempfile::TempDir,
    _server: Child,
    _database: EmptyDatabase,
}

impl Place {
    async fn new(kind: DatabaseKind) -> Result<Option<Self>> {
        let Some(database) = EmptyDatabase::new(kind).await? else { return Ok(None) };
        let directory = tempfile::tempdir()?;
        let dir = directory.path();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &authority)?;
        fs::write(dir.join("ca.pem"), authority.pem())?;
        fs::write(dir.join("server.pem"), certificate.pem())?;
        fs::write(dir.join("server.key"), key.serialize_pem())?;
        let config = format!(
            "server:\n  listen: 127.0.0.1:0\n  data_dir: data\n  database: {{url: '{}'}}\n  tls: {{cert: server.pem, key: server.key}}\n",
            database.url()
        );
        fs::write(dir.join("sprout.yaml"), config)?;
        let server = |arguments: &[&str]| -> Result<Command> {
            let mut command = Command::new(binary("sprout-server")?);
            command.arg("--config").arg(dir.join("sprout.yaml")).args(arguments).kill_on_drop(true);
            Ok(command)
        };
        for (arguments, input) in
            [(&["migrate"][..], ""), (&["create-superuser", "--name", "admin", "--password-stdin"], PASSWORD)]
        {
            let done = run(&mut server(arguments)?, input).await?;
            ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        let log = File::create(dir.join("server.log"))?;
        let serving =
            server(&[])?.stdin(Stdio::null()).stdout(Stdio::null()).env("NO_COLOR", "1").stderr(log).spawn()?;
        let port = retry("the server listens", async || {
            let said = fs::read_to_string(dir.join("server.log"))?;
            let (_, rest) = said.split_once("listening on https://127.0.0.1:").with_context(|| said.clone())?;
            Ok(rest.split_whitespace().next().unwrap_or_default().parse::<u16>()?)
        })
        .await?;
        let url = format!("https://localhost:{port}");
        let place = Self { url, directory, _server: serving, _database: database };
        retry("a user signs in", async || place.sproutctl(&["login", "admin"], PASSWORD).await).await?;
        Ok(Some(place))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(binary("sproutctl")?);
        command
            .env("XDG_CONFIG_HOME", self.directory.path())
            .env_remove("SPROUT_TOKEN")
            .env("SPROUT_SERVER", &self.url);
        Ok(command)
    }

    /// What `sproutctl` prints; it must succeed.
    async fn sproutctl(&self, arguments: &[&str], input: &str) -> Result<String> {
        let output = run(self.command()?.env("SPROUT_CA", self.file("ca.pem")).args(arguments), input).await?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Writes a fresh join token into a file.
    async fn token(&self, id: &str, file: &str) -> Result<()> {
        Ok(fs::write(self.file(file), self.sproutctl(&["worker", "token", id], "").await?)?)
    }

    /// A worker with its state in a directory and its token in a file.
    fn worker(&self, id: &str, state: &str, token: &str) -> Result<Command> {
        let config = format!(
            "worker:\n  server: {}\n  ca: {}\n  id: {id}\n  state_dir: {state}\n  join_token_file: {token}\n",
            self.url,
            self.file("ca.pem").display(),
            state = self.file(state).display(),
            token = self.file(token).display(),
        );
        fs::write(self.file("worker.yaml"), config)?;
        let mut command = Command::new(binary("sprout-worker")?);
        command.arg("--config").arg(self.file("worker.yaml")).env("RUST_LOG", "info").kill_on_drop(true);
        command.env_remove("SPROUT_WORKER_JOIN_TOKEN").stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a worker until it has a session, then kills it.
    async fn serves(&self, mut worker: Command, id: &str) -> Result<()> {
        let before = self.heard(id).await;
        let mut child = worker.spawn()?;
        let served = retry("the worker has a session", async || {
            let now = self.heard(id).await;
            ensure!(now.is_some() && now != before, "last heard: {now:?}");
            Ok(())
        });
        let ended = tokio::select! {
            served = served => served,
            ended = child.wait() => Err(anyhow::anyhow!("the worker ended: {ended:?}")),
        };
        child.kill().await?;
        ended
    }

    /// When the worker was last heard, if it ever was.
    async fn heard(&self, id: &str) -> Option<String> {
        let text = self.sproutctl(&["worker", "get", id, "-o", "json"], "").await.ok()?;
        let worker: Value = serde_json::from_str(&text).ok()?;
        Some(worker["last_heard_at"].as_str()?.to_owned())
    }

    /// What a worker says that must give up.
    async fn gives_up(&self, mut worker: Command) -> Result<String> {
        let output = timeout(SOON, run(&mut worker, "")).await.context("the worker did not give up")??;
        ensure!(output.status.code() == Some(1), "{output:?}");
        Ok(String::from_utf8(output.stderr)?)
    }

    fn kept(&self, state: &str, id: &str) -> Result<Value> {
        Ok(serde_json::from_str(&fs::read_to_string(self.file(state).join(format!("{id}.json")))?)?)
    }

    fn keep(&self, state: &str, id: &str, badge: &Value) -> Result<()> {
        Ok(fs::write(self.file(state).join(format!("{id}.json")), badge.to_string())?)
    }
}

/// A worker that is killed between being admitted and writing that down joins at its next start, and needs no token after that.
async fn joins(place: &Place) -> Result<()> {
    place.token("one", "one.join").await?;
    let mut victim = place.worker("one", "one", "one.join")?;
    let killed = timeout(SOON, victim.env("SPROUT_CRASH_AT", "worker.join.after").status()).await??;
    ensure!(killed.signal() == Some(9), "{killed}");
    ensure!(!place.file("one/one.json").exists() && place.file("one/one.joining.json").exists());
    place.serves(place.worker("one", "one", "one.join")?, "one").await?;
    fs::remove_file(place.file("one.join"))?;
    place.serves(place.worker("one", "one", "one.join")?, "one").await
}

/// Tokens that were used, or made for others, let nobody in; nor does a worker start without any.
async fn is_refused(place: &Place) -> Result<()> {
    place.token("two", "two.join").await?;
    place.serves(place.worker("two", "two", "two.join")?, "two").await?;
    let said = place.gives_up(place.worker("two", "elsewhere", "two.join")?).await?;
    ensure!(
        said.contains("joined with this join token of two") && said.contains("sproutctl worker token two"),
        "{said}"
    );
    place.token("three", "three.join").await?;
    let said = place.gives_up(place.worker("four", "elsewhere", "three.join")?).await?;
    ensure!(said.contains("made for another worker than four"), "{said}");
    let said = place.gives_up(place.worker("four", "elsewhere", "missing.join")?).await?;
    ensure!(said.contains("has not joined yet"), "{said}");
    Ok(())
}

/// A credential is worth nothing without the certificate that goes with it.
async fn needs_its_certificate(place: &Place) -> Result<()> {
    let (own, others) = (place.kept("one", "one")?, place.kept("two", "two")?);
    let with = |certificates: Value, key: Value, expires_at: Value| {
        let mut badge = own.clone();
        badge["certificates"] = certificates;
        badge["private_key"] = key;
        badge["expires_at"] = expires_at;
        badge
    };
    let one = || place.worker("one", "one", "one.join");
    let until = || own["expires_at"].clone();
    place.keep("one", "one", &with(others["certificates"].clone(), others["private_key"].clone(), until()))?;
    let said = place.gives_up(one()?).await?;
    ensure!(said.contains("not that of worker one"), "another's certificate: {said}");
    place.keep(
        "one",
        "one",
        &with(own["certificates"].clone(), own["private_key"].clone(), "2020-01-01T00:00:00Z".into()),
    )?;
    let said = place.gives_up(one()?).await?;
    ensure!(said.contains("called over TLS without its certificate"), "no certificate: {said}");

    let (key, mut params) = (KeyPair::generate()?, CertificateParams::default());
    params.distinguished_name.push(DnType::CommonName, "one");
    let forged = with(params.self_signed(&key)?.pem().into(), key.serialize_pem().into(), until());
    place.keep("one", "one", &forged)?;
    let said = place.gives_up(one()?).await?;
    ensure!(said.contains("does not accept this worker's certificate"), "a forged certificate: {said}");
    // From there a new token leads back.
    place.token("one", "one.join").await?;
    place.serves(one()?, "one").await
}

/// A removed worker comes back with a new token only.
async fn comes_back(place: &Place) -> Result<()> {
    place.sproutctl(&["worker", "remove", "two", "--yes"], "").await?;
    let said = place.gives_up(place.worker("two", "two", "two.join")?).await?;
    ensure!(said.contains("refuses the worker two") && said.contains("sproutctl worker token two"), "{said}");
    place.token("two", "two.join").await?;
    place.serves(place.worker("two", "two", "two.join")?, "two").await
}

/// Who does not know the private authority of the server, does not talk to it.
async fn trusts_nobody_unknown(place: &Place) -> Result<()> {
    let output =
        run(place.command()?.env_remove("SPROUT_CA").args(["--config", "/dev/null", "login", "admin"]), PASSWORD)
            .await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("certificate"), "{said}");
    place.token("five", "five.join").await?;
    let mut worker = place.worker("five", "five", "five.join")?;
    let text = fs::read_to_string(place.file("worker.yaml"))?;
    let without: Vec<_> = text.lines().filter(|line| !line.starts_with("  ca:")).collect();
    fs::write(place.file("worker.yaml"), without.join("\n"))?;
    let log = place.file("five.log");
    let mut child = worker.stderr(File::create(&log)?).spawn()?;
    retry("the worker says why it does not connect", async || {
        let said = fs::read_to_string(&log)?;
        ensure!(said.contains("no session with the server") && said.contains("certificate"), "{said}");
        Ok(())
    })
    .await?;
    child.kill().await?;
    place.serves(place.worker("five", "five", "five.join")?, "five").await // the token was shown to nobody
}

async fn all(kind: DatabaseKind) -> Result<()> {
    let Some(place) = Place::new(kind).await? else {
        println!("skipped: SPROUT_TEST_POSTGRES is not set");
        return Ok(());
    };
    joins(&place).await?;
    is_refused(&place).await?;
    needs_its_certificate(&place).await?;
    comes_back(&place).await?;
    trusts_nobody_unknown(&place).await
}

#[tokio::test]
async fn sqlite() -> Result<()> {
    all(DatabaseKind::Sqlite).await
}

#[tokio::test]
async fn postgres() -> Result<()> {
    all(DatabaseKind::Postgres).await
}
