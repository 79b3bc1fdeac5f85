//! HTTP in place of the instances: one listener for all of them, since each has an address of its own on the loopback
//! device. One that is on and up answers every path with its version; a connection to any other is closed.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::keeper::Keeper;

/// A request comes and its answer goes within this time.
const LIMIT: Duration = Duration::from_secs(5);
/// Of a request's head, at most so much is read.
const HEAD: usize = 8 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// Pause after a connection could not be accepted (there may be too many open).
const PAUSE: Duration = Duration::from_millis(20);

/// The listener.
#[derive(Debug)]
pub(super) struct Appliances {
    listener: TcpListener,
    port: u16,
}

impl Appliances {
    /// Listens on all addresses of the loopback device, and no other.
    pub(super) fn listen(port: u16) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        #[cfg(target_os = "linux")]
        socket.bind_device(Some(b"lo"))?;
        socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
        let listener = socket.listen(BACKLOG)?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) async fn serve(self, keeper: Arc<Keeper>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let keeper = Arc::clone(&keeper);
                    tokio::spawn(async move { timeout(LIMIT, answer(stream, &keeper)).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to an instance could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// An error is the other side's: it left.
async fn answer(mut stream: TcpStream, keeper: &Keeper) -> io::Result<()> {
    let IpAddr::V4(address) = stream.local_addr()?.ip() else { return Ok(()) };
    let Some(version) = keeper.version_at(address) else { return Ok(()) };
    let mut head = Vec::with_capacity(512);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let length = version.len() + 1;
    let mut answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    if !head.starts_with(b"HEAD ") {
        answer.push_str(&version);
        answer.push('\n');
    }
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}
