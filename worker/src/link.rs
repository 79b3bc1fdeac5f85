//! What a session runs over: the seam between what is said and how it travels.

use async_trait::async_trait;
use futures::stream::BoxStream;
use sprout_proto::worker::{Hello, SessionRequest, SessionResponse};
use tokio::sync::mpsc;
use tonic::Status;

/// One server, as a worker reaches it.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Where it is, for people.
    fn server(&self) -> &str;

    /// Opens a session and says Hello. The status is the server's, or `UNAVAILABLE` if none was reached. Given up from outside after a
    /// while.
    async fn connect(&self, hello: Hello) -> Result<Link, Status>;
}

/// A session after Hello.
pub struct Link {
    /// To the server, bounded; the session's side is closed by dropping it.
    pub says: mpsc::Sender<SessionRequest>,
    /// From the server, Welcome first. Its end is the end of the session.
    pub hears: BoxStream<'static, Result<SessionResponse, Status>>,
}
