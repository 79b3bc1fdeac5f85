//! Join tokens, and the authority that signs workers' certificates.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{AuthorityRow, JoinRows, JoinToken, Joined};
use sprout_domain::{Result, Secret, Timestamp, WorkerId};

use crate::{
    entities::{authority, join_token::Model},
    tx::SeaTx,
};

#[async_trait]
impl JoinRows for SeaTx {
    async fn insert_join_token(&mut self, hash: &str, worker: &WorkerId, expires_at: Timestamp) -> Result<()> {
        let row: Vec<Value> = vec![hash.into(), worker.0.as_str().into(), self.time(expires_at)];
        self.insert("join_tokens (hash, worker, expires_at)", vec![row], "").await?;
        Ok(())
    }

    async fn forget_join_tokens(&mut self, expired_before: Timestamp) -> Result<()> {
        self.run("delete from join_tokens where expires_at < $1", [self.time(expired_before)]).await?;
        Ok(())
    }

    async fn join_token(&mut self, hash: &str, lock: bool) -> Result<Option<JoinToken>> {
        let sql = format!("select * from join_tokens where hash = $1{}", if lock { self.locked() } else { "" });
        let row: Option<Model> = self.row(&sql, [hash.into()]).await?;
        Ok(row.map(|Model { worker, expires_at, used_at, request_hash, certificate, .. }| JoinToken {
            worker: WorkerId(worker),
            expires_at,
            joined: match (used_at, request_hash, certificate) {
                (Some(at), Some(request_hash), Some(certificate)) => Some(Joined { at, request_hash, certificate }),
                _ => None,
            },
        }))
    }

    async fn use_join_token(&mut self, hash: &str, joined: &Joined) -> Result<()> {
        let sql = "update join_tokens set used_at = $2, request_hash = $3, certificate = $4 where hash = $1";
        let Joined { at, request_hash, certificate } = joined;
        let values = [hash.into(), self.time(*at), request_hash.as_str().into(), certificate.as_str().into()];
        self.run(sql, values).await?;
        Ok(())
    }

    async fn unused_join_tokens(&mut self) -> Result<Vec<(WorkerId, Timestamp)>> {
        #[derive(FromQueryResult)]
        struct Unused {
            worker: String,
            expires_at: Timestamp,
        }
        let sql = "select worker, expires_at from join_tokens where used_at is null and expires_at > $1 order by worker, expires_at";
        let rows: Vec<Unused> = self.rows(sql, [self.time(self.now)]).await?;
        Ok(rows.into_iter().map(|row| (WorkerId(row.worker), row.expires_at)).collect())
    }

    async fn revoke_join_tokens(&mut self, worker: &WorkerId) -> Result<u64> {
        self.run("delete from join_tokens where worker = $1 and used_at is null", [worker.0.as_str().into()]).await
    }

    async fn delete_credentials(&mut self, worker: &WorkerId) -> Result<bool> {
        Ok(self.run("delete from tokens where worker = $1", [worker.0.as_str().into()]).await? > 0)
    }

    async fn delete_join_tokens(&mut self, worker: &WorkerId) -> Result<bool> {
        Ok(self.run("delete from join_tokens where worker = $1", [worker.0.as_str().into()]).await? > 0)
    }

    async fn authority(&mut self) -> Result<Option<AuthorityRow>> {
        let row: Option<authority::Model> = self.row("select * from authority", []).await?;
        Ok(row.map(|row| AuthorityRow { certificate: row.certificate, key: Secret::new(row.private_key) }))
    }

    async fn insert_authority(&mut self, row: &AuthorityRow) -> Result<()> {
        let key = row.key.expose();
        let values: Vec<Value> = vec![1_i64.into(), row.certificate.as_str().into(), key.into(), self.time(self.now)];
        let target = "authority (id, certificate, private_key, created_at)";
        self.insert(target, vec![values], "on conflict (id) do nothing").await?;
        Ok(())
    }
}
