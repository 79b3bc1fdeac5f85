//! An SSH server on loopback that really runs what it is told, in a shell, for one user with one password; and one that is given a bad day.

use std::{collections::HashMap, process::Stdio, sync::Arc};

use russh::{
    Channel, ChannelId,
    keys::{
        PrivateKey, PublicKey,
        ssh_key::private::{Ed25519Keypair, KeypairData},
    },
    server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream},
};
use sprout_proto::appliance::Endpoint;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    process::{ChildStdin, Command},
    task::JoinHandle,
};

/// Who is let in.
pub(crate) const USER: &str = "root";
/// With this.
pub(crate) const PASSWORD: &str = "right";

/// A server, gone when dropped.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    serving: JoinHandle<()>,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A key that is always the same for the same number.
pub(crate) fn key(number: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[number; 32])), "").unwrap()
}

impl Sshd {
    /// With this host key; on this port, or any. Lets in who has the private key of `own`, too.
    pub(crate) async fn start(host_key: u8, port: u16, own: Option<PublicKey>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Config {
            keys: vec![key(host_key)],
            auth_rejection_time: std::time::Duration::ZERO,
            auth_rejection_time_initial: Some(std::time::Duration::ZERO),
            ..Config::default()
        };
        let config = Arc::new(config);
        let serving = tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (config, shell) = (config.clone(), Shell { own: own.clone(), inputs: HashMap::new() });
                sessions.spawn(async move {
                    if let Ok(session) = run_stream(config, stream, shell).await {
                        let _ = session.await; // the client left, in whatever way
                    }
                });
            }
        });
        Self { port, serving }
    }

    /// Where it answers.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint { name: "ssh".to_owned(), host: "127.0.0.1".to_owned(), port: self.port.into(), url: None }
    }
}

/// What is typed into commands that run.
struct Shell {
    own: Option<PublicKey>,
    inputs: HashMap<ChannelId, ChildStdin>,
}

impl Handler for Shell {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(if (user, password) == (USER, PASSWORD) { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let fits = self.own.as_ref().is_some_and(|own| own.key_data() == key.public_key.key_data());
        Ok(if fits { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        // As a server without patience: the connection is cut in the middle.
        if command.contains("/cutter") {
            return Err(russh::Error::Disconnect);
        }
        let mut child = Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        session.channel_success(id)?;
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        self.inputs.extend(child.stdin.take().map(|input| (id, input)));
        let (handle, other) = (session.handle(), session.handle());
        let beside = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = err.read(&mut buffer).await {
                let _ = other.extended_data(id, 1, buffer[..n].to_vec()).await;
            }
        });
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = out.read(&mut buffer).await {
                if handle.data(id, buffer[..n].to_vec()).await.is_err() {
                    return; // the client left: the command ends with its output
                }
            }
            let _ = beside.await;
            let status = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(255);
            let _ = handle.exit_status_request(id, u32::try_from(status).unwrap_or(255)).await;
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
        });
        Ok(())
    }

    async fn data(&mut self, id: ChannelId, data: &[u8], _: &mut Session) -> Result<(), russh::Error> {
        if let Some(input) = self.inputs.get_mut(&id) {
            let _ = input.write_all(data).await; // who does not read ends
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.inputs.remove(&id);
        Ok(())
    }
}
