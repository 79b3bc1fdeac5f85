//! Users as they are managed, and their tokens.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use sprout_app::ports::{AccountRows, Page, TokenRows, TokensToDelete, UserChange, UserFilter};
use sprout_domain::{
    Result, TokenId, UserGroupId, UserId,
    token::Token,
    user::{Role, User},
};

use crate::{
    convert::{Named, limit, variant},
    entities::{token, user::Model},
    tx::{Clauses, SeaTx},
    user::user,
};

/// What a token's row says of it.
pub(crate) fn token(row: token::Model) -> Result<Token> {
    let token::Model { id, name, scope, created_at, expires_at, used_at, .. } = row;
    Ok(Token { id: TokenId(id), name, scope: variant(&scope)?, created_at, expires_at, used_at })
}

#[async_trait]
impl AccountRows for SeaTx {
    async fn users(&mut self, filter: &UserFilter, page: Page) -> Result<Vec<User>> {
        let mut conditions = Clauses::default();
        if let Some(group) = &filter.user_group {
            conditions.add(
                "id in (select m.user_id from user_group_members m join user_groups g on g.id = m.user_group_id where g.name = ?)",
                group.as_str(),
            );
        }
        if !filter.with_disabled {
            conditions.plain("not disabled");
        }
        if let Some(before) = page.before {
            conditions.add("name > (select name from users where id = ?)", before);
        }
        let limit = conditions.parameter(limit(page.limit));
        let sql = format!("select * from users where {} order by name limit {limit}", conditions.conditions());
        let rows: Vec<Model> = self.rows(&sql, conditions.values).await?;
        rows.into_iter().map(|row| Ok(user(row)?.0)).collect()
    }

    async fn groups_of_users(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, Vec<String>>> {
        #[derive(FromQueryResult)]
        struct Row {
            user_id: i64,
            name: String,
        }
        let sql = format!(
            "select m.user_id, g.name from user_group_members m join user_groups g on g.id = m.user_group_id
             where m.user_id {} order by g.name",
            self.among(1)
        );
        let rows: Vec<Row> = self.rows(&sql, [self.numbers(users.iter().map(|user| user.0))]).await?;
        let mut groups: BTreeMap<UserId, Vec<String>> = BTreeMap::new();
        for row in rows {
            groups.entry(UserId(row.user_id)).or_default().push(row.name);
        }
        Ok(groups)
    }

    async fn lock_user(&mut self, name: &str) -> Result<Option<(User, String)>> {
        let sql = format!("select * from users where name = $1{}", self.locked());
        self.row::<Model>(&sql, [name.into()]).await?.map(user).transpose()
    }

    async fn lock_superusers(&mut self) -> Result<Vec<UserId>> {
        let sql = format!("select * from users where role = $1 and not disabled order by id{}", self.locked());
        let rows: Vec<Model> = self.rows(&sql, [Role::Superuser.name().into()]).await?;
        Ok(rows.into_iter().map(|row| UserId(row.id)).collect())
    }

    async fn change_user(&mut self, id: UserId, change: &UserChange) -> Result<()> {
        let UserChange { role, disabled, can_override_hardware, password_hash } = change;
        let mut set = Clauses::default();
        if let Some(role) = role {
            set.add("role = ?", role.name());
        }
        if let Some(disabled) = disabled {
            set.add("disabled = ?", *disabled);
        }
        if let Some(can) = can_override_hardware {
            set.add("can_override_hardware = ?", *can);
        }
        if let Some(hash) = password_hash {
            set.add("password_hash = ?", hash.as_str());
        }
        if set.values.is_empty() { Ok(()) } else { self.update("users", set, [id.0]).await }
    }

    async fn join_user_groups(&mut self, user: UserId, groups: &[UserGroupId]) -> Result<()> {
        let rows = groups.iter().map(|group| vec![group.0.into(), user.0.into()]).collect();
        self.insert("user_group_members (user_group_id, user_id)", rows, "on conflict do nothing").await?;
        Ok(())
    }
}

#[async_trait]
impl TokenRows for SeaTx {
    async fn tokens(&mut self, user: UserId) -> Result<Vec<Token>> {
        let sql =
            "select * from tokens where user_id = $1 and (expires_at is null or expires_at > $2) order by id desc";
        let rows: Vec<token::Model> = self.rows(sql, [user.0.into(), self.time(self.now)]).await?;
        rows.into_iter().map(token).collect()
    }

    async fn token_owner(&mut self, id: TokenId) -> Result<Option<(User, String)>> {
        #[derive(FromQueryResult)]
        struct Named {
            name: String,
        }
        let sql = "select u.* from tokens t join users u on u.id = t.user_id where t.id = $1";
        let Some(owner) = self.row::<Model>(sql, [id.0.into()]).await? else { return Ok(None) };
        let named: Option<Named> = self.row("select name from tokens where id = $1", [id.0.into()]).await?;
        Ok(Some((user(owner)?.0, named.map_or_else(String::new, |named| named.name))))
    }

    async fn delete_token_by_id(&mut self, id: TokenId) -> Result<()> {
        self.run("delete from tokens where id = $1", [id.0.into()]).await?;
        Ok(())
    }

    async fn delete_tokens(&mut self, user: UserId, which: &TokensToDelete) -> Result<u64> {
        let sql = "delete from tokens where user_id = $1";
        let deleted = match which {
            TokensToDelete::All => self.run(sql, [user.0.into()]).await?,
            TokensToDelete::AllBut(hash) => {
                self.run(&format!("{sql} and hash <> $2"), [user.0.into(), hash.as_str().into()]).await?
            }
            TokensToDelete::Expired => {
                self.run(&format!("{sql} and expires_at <= $2"), [user.0.into(), self.time(self.now)]).await?
            }
            TokensToDelete::Named(name) => {
                self.run(&format!("{sql} and name = $2"), [user.0.into(), (*name).into()]).await?
            }
        };
        Ok(deleted)
    }

    async fn touch_token(&mut self, hash: &str) -> Result<()> {
        self.run("update tokens set used_at = $2 where hash = $1", [hash.into(), self.time(self.now)]).await?;
        Ok(())
    }
}
