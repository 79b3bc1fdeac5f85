//! How workers join, as the store keeps it.

use async_trait::async_trait;
use sprout_domain::{Result, Secret, Timestamp, WorkerId};

/// A join token as stored: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Who may join with it.
    pub worker: WorkerId,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// What was answered to who joined with it.
    pub joined: Option<Joined>,
}

/// A worker joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// When.
    pub at: Timestamp,
    /// SHA-256 of its signing request, hexadecimal.
    pub request_hash: String,
    /// The certificate it was given, PEM.
    pub certificate: String,
}

/// The authority that signs workers' certificates, one per installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRow {
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: Secret,
}

/// Join tokens, by hash, and the authority.
#[async_trait]
pub trait JoinRows: Send {
    /// Inserts a join token.
    async fn insert_join_token(&mut self, hash: &str, worker: &WorkerId, expires_at: Timestamp) -> Result<()>;

    /// Deletes join tokens that expired before this.
    async fn forget_join_tokens(&mut self, expired_before: Timestamp) -> Result<()>;

    /// A join token, expired and used ones too; `lock`ed until the (writing) transaction ends, if asked for.
    async fn join_token(&mut self, hash: &str, lock: bool) -> Result<Option<JoinToken>>;

    /// Notes that a worker joined with this token.
    async fn use_join_token(&mut self, hash: &str, joined: &Joined) -> Result<()>;

    /// Join tokens that can be used still, by worker, then by when they expire: whose they are, and when that is.
    async fn unused_join_tokens(&mut self) -> Result<Vec<(WorkerId, Timestamp)>>;

    /// Deletes a worker's join tokens that were not used; returns how many there were.
    async fn revoke_join_tokens(&mut self, worker: &WorkerId) -> Result<u64>;

    /// Deletes what a worker proves itself with; `false` if there was nothing.
    async fn delete_credentials(&mut self, worker: &WorkerId) -> Result<bool>;

    /// Deletes a worker's join tokens, used or not; `false` if there were none. Waits for who is joining with one: before its credentials are deleted, always.
    async fn delete_join_tokens(&mut self, worker: &WorkerId) -> Result<bool>;

    /// The authority, once it was made.
    async fn authority(&mut self) -> Result<Option<AuthorityRow>>;

    /// Inserts the authority, unless there is one.
    async fn insert_authority(&mut self, authority: &AuthorityRow) -> Result<()>;
}
