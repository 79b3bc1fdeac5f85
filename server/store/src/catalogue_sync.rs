//! What sources say of templates, and what the last looks at them and at providers found.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::CatalogueRows;
use sprout_domain::{
    Error, ProviderKey, Result, TemplateId,
    catalogue_sync::{Entry, Look, Place, Problem},
    template::Said,
};

use crate::{
    convert::{Named as _, limit, variant},
    entities::{catalogue_entry, catalogue_look, catalogue_problem},
    tx::{Clauses, SeaTx},
};

#[derive(FromQueryResult)]
struct IdRow {
    id: i64,
}

fn entry(row: catalogue_entry::Model) -> Entry {
    Entry {
        provider: ProviderKey(row.provider),
        name: row.name,
        group: (&*row.group_name).into(),
        usable: row.usable,
        date: row.build_date,
        ga_released: row.ga_released,
        custom_data: row.custom_data,
    }
}

/// How a place is stored.
fn place(place: &Place) -> (&'static str, &str) {
    match place {
        Place::Source(name) => ("source", name),
        Place::Provider(key) => ("provider", &key.0),
    }
}

fn number(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| Error::internal(format!("the database has an impossible count: {number}")))
}

fn look(row: catalogue_look::Model, problems: Vec<Problem>) -> Result<Look> {
    let place = if row.kind == "source" { Place::Source(row.name) } else { Place::Provider(ProviderKey(row.name)) };
    Ok(Look {
        place,
        failure: row.failure,
        failed_since: row.failed_since,
        listed: number(row.listed)?,
        usable: number(row.usable)?,
        changed_at: row.changed_at,
        change: row.change,
        problem_count: number(row.problem_count)?,
        problems,
    })
}

fn problem(row: catalogue_problem::Model) -> Result<Problem> {
    let catalogue_problem::Model { kind, provider, subject, message, .. } = row;
    Ok(Problem { kind: variant(&kind)?, provider, subject, message })
}

impl SeaTx {
    async fn problems(&self, looks: &[i64]) -> Result<BTreeMap<i64, Vec<Problem>>> {
        let sql = format!("select * from catalogue_problems where look_id {} order by id", self.among(1));
        let rows: Vec<catalogue_problem::Model> = self.rows(&sql, [self.numbers(looks.iter().copied())]).await?;
        let mut problems: BTreeMap<i64, Vec<Problem>> = BTreeMap::new();
        for row in rows {
            problems.entry(row.look_id).or_default().push(problem(row)?);
        }
        Ok(problems)
    }

    /// Writes a look whose place was, or was not, looked at before. Returns its id.
    async fn write_look(&self, found: &Look, before: Option<&catalogue_look::Model>) -> Result<i64> {
        let (kind, name) = place(&found.place);
        let failed_since = match before {
            _ if found.failure.is_empty() => None,
            Some(before) if before.failed_since.is_some() => before.failed_since,
            _ => Some(self.now),
        };
        let (changed_at, change) = match before {
            _ if !found.change.is_empty() => (Some(self.now), found.change.as_str()),
            Some(before) => (before.changed_at, before.change.as_str()),
            None => (None, ""),
        };
        let row: Vec<Value> = vec![
            kind.into(),
            name.into(),
            found.failure.as_str().into(),
            self.optional_time(failed_since),
            limit(found.listed).into(),
            limit(found.usable).into(),
            self.optional_time(changed_at),
            change.into(),
            limit(found.problem_count).into(),
        ];
        let target =
            "catalogue_looks (kind, name, failure, failed_since, listed, usable, changed_at, change, problem_count)";
        let rest = "on conflict (kind, name) do update set
                        failure = excluded.failure, failed_since = excluded.failed_since, listed = excluded.listed,
                        usable = excluded.usable, changed_at = excluded.changed_at, change = excluded.change,
                        problem_count = excluded.problem_count
                    returning id";
        let written: Vec<IdRow> = self.insert_returning(target, vec![row], rest).await?;
        written.first().map(|row| row.id).ok_or_else(|| Error::internal("a look that was not written"))
    }
}

#[async_trait]
impl CatalogueRows for SeaTx {
    async fn catalogue_entries(&mut self, source: &str) -> Result<Vec<(i64, Entry)>> {
        let sql = "select * from catalogue_entries where source = $1";
        let rows: Vec<catalogue_entry::Model> = self.rows(sql, [source.into()]).await?;
        Ok(rows.into_iter().map(|row| (row.id, entry(row))).collect())
    }

    async fn catalogue_entries_of(&mut self, provider: &ProviderKey) -> Result<Vec<(String, Entry)>> {
        let sql = "select * from catalogue_entries where provider = $1";
        let rows: Vec<catalogue_entry::Model> = self.rows(sql, [provider.0.as_str().into()]).await?;
        Ok(rows.into_iter().map(|row| (row.source.clone(), entry(row))).collect())
    }

    async fn change_catalogue_entries(&mut self, source: &str, written: &[Entry], removed: &[i64]) -> Result<()> {
        if !removed.is_empty() {
            let sql = format!("delete from catalogue_entries where id {}", self.among(1));
            self.run(&sql, [self.numbers(removed.iter().copied())]).await?;
        }
        let row = |entry: &Entry| -> Vec<Value> {
            vec![
                source.into(),
                entry.provider.0.as_str().into(),
                entry.name.as_str().into(),
                entry.group.0.as_str().into(),
                entry.usable.into(),
                entry.date.into(),
                entry.ga_released.into(),
                entry.custom_data.as_str().into(),
            ]
        };
        let target =
            "catalogue_entries (source, provider, name, group_name, usable, build_date, ga_released, custom_data)";
        let rest = "on conflict (provider, name, source) do update set
                        group_name = excluded.group_name, usable = excluded.usable, build_date = excluded.build_date,
                        ga_released = excluded.ga_released, custom_data = excluded.custom_data";
        self.insert(target, written.iter().map(row).collect(), rest).await?;
        Ok(())
    }

    async fn set_said(&mut self, said: &[(TemplateId, Said)]) -> Result<u64> {
        if said.is_empty() {
            return Ok(0);
        }
        self.lock_templates(said.iter().map(|(id, _)| id.0)).await?;
        let values = if self.on_postgres() {
            "select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[]) as said (id, unusable, ga, custom_data)"
        } else {
            "select i.value as id, u.value as unusable, g.value as ga, c.value as custom_data
             from json_each($1) i join json_each($2) u on u.key = i.key join json_each($3) g on g.key = i.key
             join json_each($4) c on c.key = i.key"
        };
        let sql = format!(
            "update templates set unusable = said.unusable, ga_released = (said.ga <> 0), custom_data = said.custom_data
             from ({values}) as said
             where templates.id = said.id
               and (templates.unusable, templates.ga_released, templates.custom_data)
                   <> (said.unusable, said.ga <> 0, said.custom_data)"
        );
        let values = [
            self.numbers(said.iter().map(|(id, _)| id.0)),
            self.texts(said.iter().map(|(_, said)| &*said.unusable)),
            self.numbers(said.iter().map(|(_, said)| i64::from(said.ga_released))),
            self.texts(said.iter().map(|(_, said)| &*said.custom_data)),
        ];
        self.run(&sql, values).await
    }

    async fn looks(&mut self) -> Result<Vec<Look>> {
        let rows: Vec<catalogue_look::Model> =
            self.rows("select * from catalogue_looks order by kind desc, name", []).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let mut problems = self.problems(&ids).await?;
        let looks = rows.into_iter().map(|row| {
            let problems = problems.remove(&row.id).unwrap_or_default();
            look(row, problems)
        });
        looks.collect()
    }

    async fn note_look(&mut self, found: &Look) -> Result<bool> {
        let (kind, name) = place(&found.place);
        let sql = "select * from catalogue_looks where kind = $1 and name = $2";
        let before: Option<catalogue_look::Model> = self.row(sql, [kind.into(), name.into()]).await?;
        let known = match &before {
            Some(row) => {
                let problems = self.problems(&[row.id]).await?.remove(&row.id).unwrap_or_default();
                Some(look(row.clone(), problems)?)
            }
            None => None,
        };
        let same = |known: &Look| {
            found.change.is_empty()
                && (&known.failure, known.listed, known.usable, known.problem_count)
                    == (&found.failure, found.listed, found.usable, found.problem_count)
                && known.problems == found.problems
        };
        if known.as_ref().is_some_and(same) {
            return Ok(false);
        }
        let id = self.write_look(found, before.as_ref()).await?;
        if known.map(|known| known.problems).unwrap_or_default() != found.problems {
            self.run("delete from catalogue_problems where look_id = $1", [id.into()]).await?;
            let row = |problem: &Problem| -> Vec<Value> {
                vec![
                    id.into(),
                    problem.kind.name().into(),
                    problem.provider.as_str().into(),
                    problem.subject.as_str().into(),
                    problem.message.as_str().into(),
                ]
            };
            let target = "catalogue_problems (look_id, kind, provider, subject, message)";
            self.insert(target, found.problems.iter().map(row).collect(), "").await?;
        }
        Ok(true)
    }

    async fn forget_looks(&mut self, places: &[Place]) -> Result<u64> {
        let names = |wanted: &'static str| {
            let of_kind = places.iter().map(place).filter(move |(kind, _)| *kind == wanted);
            self.texts(of_kind.map(|(_, name)| name))
        };
        let mut others = Clauses::default();
        others.values.extend([names("source"), names("provider")]);
        let (sources, providers) = (self.among(1), self.among(2));
        let sql = format!(
            "delete from catalogue_looks where (kind = 'source' and not name {sources}) or (kind = 'provider' and not name {providers})"
        );
        let forgotten = self.run(&sql, others.values).await?;
        let sql = format!("delete from catalogue_entries where not source {}", self.among(1));
        Ok(forgotten + self.run(&sql, [names("source")]).await?)
    }
}
