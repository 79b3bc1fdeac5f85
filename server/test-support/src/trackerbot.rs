//! A stand-in for a trackerbot: a real HTTP server on the loopback device that lists templates as one does, with the faults that tests want.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What goes wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A web page with status 200.
    Html,
    /// This status.
    Status(u16),
    /// The connection ends in the middle of the body.
    HalfAnAnswer,
    /// The body ends in the middle, and the answer with it.
    HalfAPage,
    /// The next page is this one.
    Again,
    /// There is always a next page.
    NeverEnds,
    /// The next page is at this URL.
    NextAt(String),
    /// It is elsewhere.
    Redirect(String),
    /// So many more bytes.
    Larger(usize),
    /// No answer at all.
    Silence,
}

#[derive(Default)]
struct State {
    objects: Vec<Value>,
    page_size: usize,
    total: Option<u64>,
    faults: Vec<(usize, Fault, bool)>,
    asked: Vec<String>,
    required: Option<String>,
}

/// The server; it ends when dropped.
pub struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

/// What is listed of one template.
pub fn object(provider: &str, name: &str, group: &str, date: &str, usable: bool) -> Value {
    json!({
        "id": 1,
        "provider": {"key": provider, "type": "rhevm", "active": true},
        "template": {
            "name": name, "datestamp": date, "group": {"name": group}, "ga_released": false, "custom_data": {},
        },
        "usable": usable,
        "tested": true,
    })
}

impl StandIn {
    /// Begins to serve an empty list.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State { page_size: 100, ..State::default() }));
        let serving = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let state = state.clone();
                    tokio::spawn(async move {
                        // Whoever asks may leave.
                        let _ = answer(stream, &state).await;
                    });
                }
            }
        });
        Ok(Self { address, state, serving })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lists these, so many on a page, and nothing goes wrong.
    pub fn list(&self, objects: Vec<Value>, page_size: usize) {
        *self.state() = State { objects, page_size, ..State::default() };
    }

    /// Says that there are so many.
    pub fn claim(&self, total: u64) {
        self.state().total = Some(total);
    }

    /// Something goes wrong with a page (the first is 0), once or always.
    pub fn fault(&self, page: usize, fault: Fault, always: bool) {
        self.state().faults.push((page, fault, always));
    }

    /// From now on, it answers those alone who show this `Authorization`.
    pub fn require(&self, authorization: &str) {
        self.state().required = Some(authorization.to_owned());
    }

    /// Paths that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, headers, body, cut) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked.push(path.clone());
        let shown = head.lines().find_map(|line| line.strip_prefix("authorization: "));
        if state.required.is_some() && state.required.as_deref() != shown {
            ("401 Unauthorized".to_owned(), String::new(), String::new(), None)
        } else {
            page(&mut state, &path).unwrap_or_default()
        }
    };
    if status.is_empty() {
        // Silence, until whoever asked leaves.
        while stream.read(&mut [0; 64]).await? > 0 {}
        return Ok(());
    }
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body.as_bytes()[..cut.unwrap_or(length)]).await?;
    stream.shutdown().await
}

/// Status, headers, body, and how much of it is sent; none: nothing is said.
type Answer = (String, String, String, Option<usize>);

fn page(state: &mut State, path: &str) -> Option<Answer> {
    let json = "content-type: application/json\r\n".to_owned();
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    if place != "/api/providertemplate/" {
        return Some(("404 Not Found".to_owned(), json, String::new(), None));
    }
    let offset = query.split('&').find_map(|pair| pair.strip_prefix("offset=")?.parse::<usize>().ok()).unwrap_or(0);
    let number = offset / state.page_size.max(1);
    let objects: Vec<_> = state.objects.iter().skip(offset).take(state.page_size).cloned().collect();
    let more = offset + objects.len() < state.objects.len();
    let after = |offset: usize| format!("/api/providertemplate/?limit=100&offset={offset}");
    let fault = state
        .faults
        .iter()
        .position(|(page, ..)| *page == number)
        .map(|at| if state.faults[at].2 { state.faults[at].1.clone() } else { state.faults.remove(at).1 });
    let next = match &fault {
        Some(Fault::Again) => Some(after(offset)),
        Some(Fault::NeverEnds) => {
            // The same for all that follow.
            state.faults.push((number + 1, Fault::NeverEnds, true));
            Some(after(offset + state.page_size))
        }
        Some(Fault::NextAt(url)) => Some(url.clone()),
        _ => more.then(|| after(offset + objects.len())),
    };
    let total = state.total.unwrap_or(state.objects.len() as u64);
    let meta = json!({"limit": 100, "next": next, "offset": offset, "previous": null, "total_count": total});
    let body = json!({"meta": meta, "objects": objects}).to_string();
    let fine = "200 OK".to_owned();
    match fault {
        Some(Fault::Html) => {
            Some((fine, "content-type: text/html\r\n".to_owned(), "<html>log in</html>".to_owned(), None))
        }
        Some(Fault::Status(status)) => Some((format!("{status} Whatever"), json, "{}".to_owned(), None)),
        Some(Fault::HalfAnAnswer) => Some((fine, json, body.clone(), Some(body.len() / 2))),
        Some(Fault::HalfAPage) => Some((fine, json, body[..body.len() / 2].to_owned(), None)),
        Some(Fault::Redirect(there)) => {
            Some(("302 Found".to_owned(), format!("location: {there}\r\n"), String::new(), None))
        }
        Some(Fault::Larger(bytes)) => Some((fine, json, body + &" ".repeat(bytes), None)),
        Some(Fault::Silence) => None,
        _ => Some((fine, json, body, None)),
    }
}
