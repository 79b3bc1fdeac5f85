//! User groups, their members and providers, and what follows from them: who sees what.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Sight, UserGroupChange, UserGroupRows};
use sprout_domain::{Error, ProviderKey, Reason, Result, UserGroupId, UserId, user_group::UserGroup};

use crate::{convert::variant, entities::user_group::Model, tx::SeaTx};

/// A name that belongs to a user group.
#[derive(FromQueryResult)]
struct Part {
    user_group_id: i64,
    name: String,
}

/// A user, and one provider of those the user sees.
#[derive(FromQueryResult)]
struct Seen {
    id: i64,
    role: String,
    user_group_id: Option<i64>,
    provider: Option<String>,
}

impl SeaTx {
    async fn parts(&self, sql: &str, groups: &[Model]) -> Result<BTreeMap<i64, Vec<String>>> {
        let sql = format!("{sql} where user_group_id {} order by 2", self.among(1));
        let rows: Vec<Part> = self.rows(&sql, [self.numbers(groups.iter().map(|group| group.id))]).await?;
        let mut parts: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for row in rows {
            parts.entry(row.user_group_id).or_default().push(row.name);
        }
        Ok(parts)
    }
}

fn members(users: &[UserId]) -> impl Iterator<Item = i64> {
    users.iter().map(|user| user.0)
}

fn keys(providers: &[ProviderKey]) -> impl Iterator<Item = &str> {
    providers.iter().map(|key| &*key.0)
}

#[async_trait]
impl UserGroupRows for SeaTx {
    async fn sights(&mut self, users: &[UserId]) -> Result<BTreeMap<UserId, Sight>> {
        if users.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = format!(
            "select u.id, u.role, m.user_group_id, p.key as provider from users u
             left join user_group_members m on m.user_id = u.id
             left join user_group_providers g on g.user_group_id = m.user_group_id
             left join providers p on p.key = g.provider and not p.hidden
             where u.id {}",
            self.among(1)
        );
        let rows: Vec<Seen> = self.rows(&sql, [self.numbers(members(users))]).await?;
        let mut sights = BTreeMap::new();
        for row in rows {
            let role = variant(&row.role)?;
            let sight = sights.entry(UserId(row.id)).or_insert_with(|| Sight {
                role,
                user_groups: [].into(),
                providers: [].into(),
            });
            sight.user_groups.extend(row.user_group_id.map(UserGroupId));
            sight.providers.extend(row.provider.map(ProviderKey));
        }
        Ok(sights)
    }

    async fn user_groups(&mut self, of: Option<UserId>) -> Result<Vec<UserGroup>> {
        let of_user = "where id in (select user_group_id from user_group_members where user_id = $1)";
        let condition = of.map_or("", |_| of_user);
        let sql = format!("select * from user_groups {condition} order by name");
        let groups: Vec<Model> = self.rows(&sql, of.map(|user| user.0.into())).await?;
        let members = "select m.user_group_id, u.name from user_group_members m join users u on u.id = m.user_id";
        let mut members = self.parts(members, &groups).await?;
        let mut providers =
            self.parts("select user_group_id, provider as name from user_group_providers", &groups).await?;
        let group = |row: Model| UserGroup {
            id: UserGroupId(row.id),
            name: row.name,
            members: members.remove(&row.id).unwrap_or_default(),
            providers: providers.remove(&row.id).unwrap_or_default().into_iter().map(ProviderKey).collect(),
            created_at: row.created_at,
        };
        Ok(groups.into_iter().map(group).collect())
    }

    async fn groups_of_providers(&mut self) -> Result<BTreeMap<ProviderKey, Vec<String>>> {
        #[derive(FromQueryResult)]
        struct Has {
            provider: String,
            name: String,
        }
        let sql = "select p.provider, g.name from user_group_providers p join user_groups g on g.id = p.user_group_id
                   order by p.provider, g.name";
        let mut groups: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for row in self.rows::<Has>(sql, []).await? {
            groups.entry(ProviderKey(row.provider)).or_default().push(row.name);
        }
        Ok(groups)
    }

    async fn lock_user_groups(&mut self, names: &[String]) -> Result<BTreeMap<String, UserGroupId>> {
        let sql = format!("select * from user_groups where name {} order by id{}", self.among(1), self.locked());
        let rows: Vec<Model> = self.rows(&sql, [self.texts(names.iter().map(String::as_str))]).await?;
        Ok(rows.into_iter().map(|row| (row.name, UserGroupId(row.id))).collect())
    }

    async fn insert_user_group(&mut self, name: &str) -> Result<UserGroupId> {
        let row: Vec<Value> = vec![name.into(), self.time(self.now)];
        let rest = "on conflict (name) do nothing returning *";
        let inserted: Vec<Model> = self.insert_returning("user_groups (name, created_at)", vec![row], rest).await?;
        inserted.first().map(|row| UserGroupId(row.id)).ok_or_else(|| {
            let message = format!("there is a user group {name} already; choose another name");
            Error::new(Reason::UserGroupExists, message).with("name", name)
        })
    }

    async fn change_user_group(&mut self, id: UserGroupId, change: &UserGroupChange) -> Result<()> {
        if !change.remove_members.is_empty() {
            let sql = format!("delete from user_group_members where user_group_id = $1 and user_id {}", self.among(2));
            self.run(&sql, [id.0.into(), self.numbers(members(&change.remove_members))]).await?;
        }
        if !change.remove_providers.is_empty() {
            let sql =
                format!("delete from user_group_providers where user_group_id = $1 and provider {}", self.among(2));
            self.run(&sql, [id.0.into(), self.texts(keys(&change.remove_providers))]).await?;
        }
        let rest = "on conflict do nothing";
        let rows = members(&change.add_members).map(|user| vec![id.0.into(), user.into()]).collect();
        self.insert("user_group_members (user_group_id, user_id)", rows, rest).await?;
        let rows = keys(&change.add_providers).map(|key| vec![id.0.into(), key.into()]).collect();
        self.insert("user_group_providers (user_group_id, provider)", rows, rest).await?;
        Ok(())
    }

    async fn delete_user_group(&mut self, id: UserGroupId) -> Result<()> {
        self.run("delete from user_groups where id = $1", [id.0.into()]).await?;
        Ok(())
    }

    async fn users_named(&mut self, names: &[String]) -> Result<BTreeMap<String, UserId>> {
        #[derive(FromQueryResult)]
        struct Row {
            id: i64,
            name: String,
        }
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = format!("select id, name from users where name {}", self.among(1));
        let rows: Vec<Row> = self.rows(&sql, [self.texts(names.iter().map(String::as_str))]).await?;
        Ok(rows.into_iter().map(|row| (row.name, UserId(row.id))).collect())
    }
}
