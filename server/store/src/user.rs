//! Users and tokens. A token is found by its hash only while it is valid.

use async_trait::async_trait;
use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sprout_app::ports::{NewToken, TokenInfo, TokenOwner, UserRows};
use sprout_domain::{
    Error, Reason, Result, UserId, WorkerId,
    token::Token,
    user::{Principal, Role, User},
};

use crate::{
    account,
    convert::{Named, variant},
    entities::{token, user::Model},
    quota::quota,
    tx::SeaTx,
};

/// The user of a row, with the password's hash.
pub(crate) fn user(row: Model) -> Result<(User, String)> {
    let quota = quota(&row)?;
    let Model { id, name, password_hash, role, created_at, disabled, can_override_hardware, .. } = row;
    let role = variant(&role)?;
    let user = User { id: UserId(id), name, role, created_at, disabled, can_override_hardware, quota };
    Ok((user, password_hash))
}

/// A token with its user, or its worker.
struct TokenRow {
    user: Option<Model>,
    worker: Option<String>,
    token: token::Model,
}

impl FromQueryResult for TokenRow {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let worker: Option<String> = row.try_get(prefix, "worker")?;
        let user = if worker.is_none() { Some(Model::from_query_result(row, prefix)?) } else { None };
        Ok(Self { user, worker, token: token::Model::from_query_result(row, "t_")? })
    }
}

#[async_trait]
impl UserRows for SeaTx {
    async fn insert_user(&mut self, name: &str, password_hash: &str, role: Role) -> Result<User> {
        let row = vec![name.into(), password_hash.into(), role.name().into(), self.time(self.now)];
        let target = "users (name, password_hash, role, created_at)";
        let rest = "on conflict (name) do nothing returning *";
        let inserted: Vec<Model> = self.insert_returning(target, vec![row], rest).await?;
        match inserted.into_iter().next() {
            Some(row) => Ok(user(row)?.0),
            None => Err(Error::new(Reason::UserExists, format!("there is a user {name} already; choose another name"))
                .with("name", name)),
        }
    }

    async fn user_by_name(&mut self, name: &str) -> Result<Option<(User, String)>> {
        let row: Option<Model> = self.row("select * from users where name = $1", [name.into()]).await?;
        row.map(user).transpose()
    }

    async fn insert_token(&mut self, token: NewToken) -> Result<Token> {
        let (user, worker): (Option<i64>, Option<String>) = match token.owner {
            TokenOwner::User(id) => (Some(id.0), None),
            TokenOwner::Worker(id) => (None, Some(id.0)),
        };
        let row: Vec<Value> = vec![
            token.hash.into(),
            user.into(),
            worker.into(),
            token.name.into(),
            token.scope.name().into(),
            self.time(self.now),
            self.optional_time(token.expires_at),
        ];
        let target = "tokens (hash, user_id, worker, name, scope, created_at, expires_at)";
        let made: Vec<token::Model> = self.insert_returning(target, vec![row], "returning *").await?;
        let made = made.into_iter().next().ok_or_else(|| Error::internal("a token was not inserted"))?;
        account::token(made)
    }

    async fn token(&mut self, hash: &str) -> Result<Option<TokenInfo>> {
        let sql = "select u.*, t.worker, t.id as t_id, t.hash as t_hash, t.user_id as t_user_id, t.worker as t_worker,
                          t.created_at as t_created_at, t.expires_at as t_expires_at, t.name as t_name,
                          t.scope as t_scope, t.used_at as t_used_at
                   from tokens t left join users u on u.id = t.user_id
                   where t.hash = $1 and (t.expires_at is null or t.expires_at > $2)
                         and (u.id is null or not u.disabled)";
        let Some(row) = self.row::<TokenRow>(sql, [hash.into(), self.time(self.now)]).await? else { return Ok(None) };
        let principal = match (row.user, row.worker) {
            (Some(row), _) => Principal::User(user(row)?.0),
            (None, Some(worker)) => Principal::Worker(WorkerId(worker)),
            (None, None) => return Err(Error::internal("a token is nobody's")),
        };
        Ok(Some(TokenInfo { principal, token: account::token(row.token)? }))
    }

    async fn delete_token(&mut self, hash: &str) -> Result<()> {
        self.run("delete from tokens where hash = $1", [hash.into()]).await?;
        Ok(())
    }
}
