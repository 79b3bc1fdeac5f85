//! Proves that a TCP connection is accepted.

use tokio::net::TcpStream;

use super::Failure;

pub(super) async fn attempt(host: &str, port: u16) -> Result<(), Failure> {
    connect(host, port).await.map(drop)
}

pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream, Failure> {
    TcpStream::connect((host, port)).await.map_err(|error| Failure::io(&error))
}
