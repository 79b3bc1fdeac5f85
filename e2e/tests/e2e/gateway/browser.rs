//! A browser, as far as the gateway can tell: it keeps a cookie, says its origin, and speaks grpc-web in frames made by hand.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use prost::Message;
use reqwest::{
    Client, ClientBuilder, Method, RequestBuilder, Response,
    header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE},
};
use serde_json::{Value, json};
use sprout_e2e::LONG;
use tokio::time::timeout;
use tonic::Status;
use tonic_types::StatusExt as _;

/// The content types of grpc-web.
pub(crate) const BINARY: &str = "application/grpc-web+proto";
pub(crate) const TEXT: &str = "application/grpc-web-text";

/// What speaks HTTP, and TLS as this workspace does.
pub(crate) fn client() -> ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

/// One.
pub(crate) struct Browser {
    pub(crate) http: Client,
    pub(crate) url: String,
    cookie: Mutex<Option<String>>,
}

impl Browser {
    /// At this gateway.
    pub(crate) fn new(url: &str) -> Self {
        Self::with(client().build().unwrap(), url)
    }

    pub(crate) fn with(http: Client, url: &str) -> Self {
        Self { http, url: url.to_owned(), cookie: Mutex::default() }
    }

    /// The cookie, as it is sent.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the cookie of another one.
    pub(crate) fn have(&self, cookie: Option<String>) {
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = cookie;
    }

    /// A request as a page of the gateway's makes it.
    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url)).header(ORIGIN, &self.url);
        self.cookie().into_iter().fold(request, |request, cookie| request.header(COOKIE, cookie))
    }

    /// Sends it, and keeps the cookie that comes back.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = timeout(LONG, request.send()).await.context("no answer")??;
        for set in response.headers().get_all(SET_COOKIE) {
            let pair = set.to_str()?.split(';').next().unwrap_or_default();
            self.have((!pair.ends_with('=')).then(|| pair.to_owned()));
        }
        Ok(response)
    }

    /// Signs in; the status, and what was said.
    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Result<(u16, Value)> {
        self.sign_in_from(name, password, None).await
    }

    /// The same through a proxy that says where it comes from.
    pub(crate) async fn sign_in_from(&self, name: &str, password: &str, from: Option<&str>) -> Result<(u16, Value)> {
        let body = json!({"username": name, "password": password}).to_string();
        let request = self.ask(Method::POST, "/session").header(CONTENT_TYPE, "application/json").body(body);
        let request = from.into_iter().fold(request, |request, from| request.header("x-forwarded-for", from));
        told(self.send(request).await?).await
    }

    /// Asks who is signed in, or ends that.
    pub(crate) async fn session(&self, method: Method, query: &str) -> Result<(u16, Value)> {
        told(self.send(self.ask(method, &format!("/session{query}"))).await?).await
    }

    /// One call with one answer.
    pub(crate) async fn call<T: Message + Default>(&self, rpc: &str, message: &impl Message) -> Result<T, Status> {
        let answered = async {
            let response = self.send(self.rpc(rpc, BINARY).body(framed(message))).await?;
            Answer::begin(response).await
        };
        let mut answer = answered.await.map_err(|error| Status::internal(format!("{error:?}")))??;
        let message = answer.message().await?.ok_or_else(|| Status::internal("no message"))?;
        match answer.message().await? {
            None => T::decode(&*message).map_err(|error| Status::internal(error.to_string())),
            Some(_) => Err(Status::internal("more than one message")),
        }
    }

    /// A call whose answer goes on.
    pub(crate) async fn stream(&self, rpc: &str, message: &impl Message) -> Result<Answer> {
        let response = self.send(self.rpc(rpc, BINARY).body(framed(message))).await?;
        Ok(Answer::begin(response).await??)
    }

    /// A call, but for its body.
    pub(crate) fn rpc(&self, rpc: &str, kind: &str) -> RequestBuilder {
        self.ask(Method::POST, &format!("/sprout.{rpc}")).header(CONTENT_TYPE, kind).header(ACCEPT, kind)
    }

    /// The status that a call is answered with that is made like this.
    pub(crate) async fn status(&self, request: RequestBuilder) -> Result<Status> {
        let response = self.send(request).await?;
        ensure!(response.status() == 200, "a refusal of grpc-web has the status 200, not {}", response.status());
        match Answer::begin(response).await? {
            Err(status) => Ok(status),
            Ok(mut answer) => loop {
                match answer.message().await {
                    Err(status) => return Ok(status),
                    Ok(None) => bail!("it succeeded"),
                    Ok(Some(_)) => {}
                }
            },
        }
    }
}

/// The status of an answer, and what it says.
pub(crate) async fn told(response: Response) -> Result<(u16, Value)> {
    let status = response.status().as_u16();
    let text = response.text().await?;
    let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).context(text)? };
    Ok((status, value))
}

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map_or_else(String::new, |info| info.reason.clone())
}

/// A message in its frame.
pub(crate) fn framed(message: &impl Message) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
    message.encode(&mut frame).unwrap();
    frame
}

/// An answer that comes in frames.
pub(crate) struct Answer {
    response: Response,
    text: bool,
    raw: Vec<u8>,
    bytes: Vec<u8>,
}

impl Answer {
    pub(crate) async fn begin(response: Response) -> Result<Result<Self, Status>> {
        let kind = response.headers().get(CONTENT_TYPE).context("no content type")?.to_str()?.to_owned();
        ensure!(kind.starts_with("application/grpc-web"), "{kind}: {}", response.text().await?);
        if let Some(status) = Status::from_header_map(response.headers()) {
            return Ok(Err(status));
        }
        Ok(Ok(Self { response, text: kind.contains("-text"), raw: Vec::new(), bytes: Vec::new() }))
    }

    /// The next message; none if it ended well.
    pub(crate) async fn message(&mut self) -> Result<Option<Vec<u8>>, Status> {
        let frame = timeout(LONG, self.frame()).await.map_err(|_| Status::internal("nothing comes"))?;
        let (flags, body) = frame.map_err(|error| Status::internal(format!("{error:?}")))?;
        if flags == 0 {
            return Ok(Some(body));
        }
        let headers = trailers(&body).map_err(|error| Status::internal(format!("{error:?}")))?;
        match Status::from_header_map(&headers) {
            Some(status) if status.code() != tonic::Code::Ok => Err(status),
            Some(_) => Ok(None),
            None => Err(Status::internal("trailers without a status")),
        }
    }

    async fn frame(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            if let Some((head, rest)) = self.bytes.split_at_checked(5) {
                let length = u32::from_be_bytes(head[1..].try_into()?) as usize;
                if rest.len() >= length {
                    let frame = (head[0], rest[..length].to_vec());
                    self.bytes.drain(..5 + length);
                    return Ok(frame);
                }
            }
            let chunk = self.response.chunk().await?.context("it ended without its last word")?;
            if self.text {
                // Each piece is base64 of its own.
                self.raw.extend_from_slice(&chunk);
                while self.raw.len() >= 4 {
                    let four: Vec<u8> = self.raw.drain(..4).collect();
                    self.bytes.extend(BASE64_STANDARD.decode(four)?);
                }
            } else {
                self.bytes.extend_from_slice(&chunk);
            }
        }
    }
}

fn trailers(body: &[u8]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in std::str::from_utf8(body)?.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').with_context(|| line.to_owned())?;
        headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value.trim())?);
    }
    Ok(headers)
}
