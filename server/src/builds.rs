//! Reads indexes of builds over HTTP. Whatever answers is believed no more than its first few megabytes, and not waited for long.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, redirect::Policy};
use sprout_app::ports::BuildIndex;

/// An index is read within this time: all of a job's run takes less than a minute.
const LIMIT: Duration = Duration::from_secs(15);
/// And is at most this large.
const LARGEST: usize = 4 * 1024 * 1024;
/// Redirections that are followed.
const HOPS: usize = 3;

/// Indexes on web servers.
#[derive(Debug)]
pub(crate) struct HttpIndex(Client);

impl HttpIndex {
    /// One that connects when it is asked.
    ///
    /// # Errors
    /// If the certificates that are trusted cannot be read.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // An error means that the process has chosen one already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("sprout-server/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::limited(HOPS))
            .timeout(LIMIT);
        client.build().map(Self)
    }
}

#[async_trait]
impl BuildIndex for HttpIndex {
    async fn read(&self, url: &str) -> Result<String, String> {
        let failed = |error: reqwest::Error| format!("{url} cannot be read: {}", innermost(&error));
        let mut response = self.0.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("{url} answered with status {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(format!("{url} is larger than {LARGEST} bytes; is it an index of builds?"));
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn what_is_no_index_is_an_error_and_no_burden() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let n = stream.read(&mut request).await.unwrap();
                let answer = match String::from_utf8_lossy(&request[..n]).split(' ').nth(1).unwrap_or_default() {
                    "/index" => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_vec(),
                    "/huge" => [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; LARGEST + 1]].concat(),
                    "/half" => b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello".to_vec(),
                    _ => b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n".to_vec(),
                };
                let _ = stream.write_all(&answer).await; // who has read enough leaves
            }
        });
        let index = HttpIndex::new().unwrap();
        assert_eq!(index.read(&format!("{url}/index")).await.as_deref(), Ok("hello"));
        for (path, says) in [("huge", "larger than"), ("half", "cannot be read"), ("other", "status 500")] {
            let error = index.read(&format!("{url}/{path}")).await.unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(index.read("http://127.0.0.1:1/").await.unwrap_err().contains("cannot be read"));
    }
}
