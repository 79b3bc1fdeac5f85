//! A watch of the event log goes on behind the last event it saw, whatever breaks the stream.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use sprout_client::{
    Code, Connection, Settings, Watch, Watched,
    proto::event::{
        Event, ListEventsRequest, ListEventsResponse, WatchRequest, WatchResponse,
        event_service_server::{EventService, EventServiceServer},
    },
};
use tokio_stream::{Stream, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, transport::Server};

/// Sends two events behind the sequence asked for; then ends each stream in another way.
#[derive(Clone, Default)]
struct Breaking(Arc<Mutex<Vec<Option<u64>>>>);

#[tonic::async_trait]
impl EventService for Breaking {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let asked = request.into_inner().after_sequence;
        let mut seen = self.0.lock().unwrap();
        seen.push(asked);
        let start = asked.unwrap_or(10);
        let event = |sequence| Ok(WatchResponse { event: Some(Event { sequence, ..Event::default() }), sequence });
        let mut messages = vec![Ok(WatchResponse { event: None, sequence: start }), event(start + 1), event(start + 2)];
        match seen.len() {
            1 => messages.push(Err(Status::unavailable("draining"))),
            // The stream just ends.
            2 => {}
            _ => messages.push(Err(Status::permission_denied("no more"))),
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    async fn list_events(&self, _: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        Err(Status::unimplemented("this one only breaks"))
    }
}

#[tokio::test]
async fn a_watch_resumes_and_misses_nothing() {
    let fake = Breaking::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let service = EventServiceServer::new(fake.clone());
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));

    let connection = Connection::open(Settings::new(server)).unwrap();
    let mut watch = Watch::events(&connection, WatchRequest::default());
    let (mut sequences, mut losses, mut returns) = (Vec::new(), 0, 0);
    let error = loop {
        match watch.next().await.unwrap() {
            Ok(Watched::Message(message)) => sequences.extend(message.event.map(|event| event.sequence)),
            Ok(Watched::Lost(_)) => losses += 1,
            Ok(Watched::Back) => returns += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(sequences, [11, 12, 13, 14, 15, 16]);
    assert_eq!((losses, returns), (2, 2));
    assert_eq!(error.code(), Code::PermissionDenied);
    assert!(watch.next().await.is_none());
    assert_eq!(*fake.0.lock().unwrap(), [None, Some(12), Some(14)]);
}

#[tokio::test]
async fn of_several_servers_one_that_is_there_is_found() {
    let fake = Breaking::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = format!("http://{}", listener.local_addr().unwrap());
    let service = EventServiceServer::new(fake.clone());
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
    let servers = format!("http://127.0.0.1:1, http://127.0.0.1:2,{there}");

    let connection = Connection::open(Settings::new(&*servers)).unwrap();
    let mut watch = Watch::events(&connection, WatchRequest::default());
    let first = watch.next().await.unwrap().unwrap();
    assert!(matches!(first, Watched::Message(WatchResponse { event: None, sequence: 10 })), "{first:?}");
    assert_eq!(connection.server(), there, "the one that answers is the one that is called");

    let connection = Connection::open(Settings::new(servers)).unwrap();
    let asked = sprout_client::retry(async || {
        let answer = connection.events().watch(WatchRequest { after_sequence: Some(7), ..Default::default() }).await;
        answer.map_err(|status| connection.explain(status))
    });
    asked.await.unwrap();
    assert_eq!(fake.0.lock().unwrap().last(), Some(&Some(7)));
    assert!(Connection::open(Settings::new("http://127.0.0.1:1,nonsense")).is_err());
}

#[tokio::test]
async fn a_server_that_was_never_there_is_an_error_at_once() {
    let connection = Connection::open(Settings::new("http://127.0.0.1:1")).unwrap();
    let mut watch = Watch::events(&connection, WatchRequest::default());
    let error = watch.next().await.unwrap().unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(watch.next().await.is_none());
}
