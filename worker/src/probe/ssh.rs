//! Proves that an SSH server introduces itself: RFC 4253, 4.2. Its identification starts with `SSH-` and may be preceded by
//! other lines.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::{Failure, tcp};

/// What may come up to the end of the identification: lines are at most 255 bytes, and a notice before it is some lines.
const LIMIT: u64 = 8 * 1024;

pub(super) async fn attempt(host: &str, port: u16) -> Result<(), Failure> {
    let mut lines = BufReader::new(tcp::connect(host, port).await?.take(LIMIT));
    let mut line = Vec::new();
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line).await.map_err(|error| Failure::io(&error))?;
        if !line.ends_with(b"\n") {
            return Err(Failure::new("no SSH banner before the connection closed or 8 KiB came"));
        }
        if line.starts_with(b"SSH-") {
            return Ok(());
        }
    }
}
