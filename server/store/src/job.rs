//! Leadership, and the jobs of whoever has it. What decides is one conditional statement each, on the database's clock.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use sprout_app::ports::{JobRows, KnownJob, LeadershipRows, NewJobRun, Page};
use sprout_domain::{
    Error, Result, Timestamp,
    job::{Job, JobRun, JobRunState},
    lease,
};

use crate::{
    convert::{Named as _, limit, microseconds, variant},
    entities::{job, job_run},
    tx::SeaTx,
};

impl TryFrom<job::Model> for Job {
    type Error = Error;

    fn try_from(row: job::Model) -> Result<Self> {
        Ok(Self {
            name: row.name,
            description: row.description,
            period: Duration::from_micros(row.period_us.unsigned_abs()),
            paused: row.paused,
            asked: row.asked,
            due_at: row.due_at,
            last_due_at: row.last_due_at,
        })
    }
}

impl TryFrom<job_run::Model> for JobRun {
    type Error = Error;

    fn try_from(row: job_run::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            job: row.job,
            due_at: row.due_at,
            server: row.server,
            state: variant(&row.state)?,
            message: row.message,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

#[derive(FromQueryResult)]
struct Epoch {
    epoch: i64,
}

#[async_trait]
impl LeadershipRows for SeaTx {
    async fn lead(&mut self, name: &str, holder: &str, lease: Duration) -> Result<Option<i64>> {
        // A rival that is being served first may have moved the end on meanwhile: the condition looks at the row as it is then.
        let mut values = vec![name.into(), holder.into(), self.time(lease::end(self.now, lease))];
        let free = if self.on_postgres() {
            values.push(self.time(self.now));
            "leadership.held_until <= $4"
        } else {
            "true"
        };
        let sql = format!(
            "insert into leadership (name, holder, epoch, held_until) values ($1, $2, 1, $3)
             on conflict (name) do update set
                 epoch = leadership.epoch + case when leadership.holder = excluded.holder then 0 else 1 end,
                 holder = excluded.holder, held_until = excluded.held_until
             where leadership.holder = excluded.holder or {free}
             returning epoch"
        );
        Ok(self.row::<Epoch>(&sql, values).await?.map(|held| held.epoch))
    }

    async fn hold_leadership(&mut self, name: &str, epoch: i64) -> Result<bool> {
        // No moment is compared: whoever takes over raises the epoch first, and has to wait for this lock.
        let lock = if self.on_postgres() { " for share" } else { "" };
        let sql = format!("select epoch from leadership where name = $1 and epoch = $2{lock}");
        Ok(self.row::<Epoch>(&sql, [name.into(), epoch.into()]).await?.is_some())
    }

    async fn take_turn(&mut self, name: &str) -> Result<()> {
        if self.on_postgres() {
            self.run("select pg_advisory_xact_lock(hashtextextended($1, 0))", [name.into()]).await?;
        }
        Ok(())
    }

    async fn step_down(&mut self, name: &str, holder: &str) -> Result<()> {
        // Nobody's: should a last renewal come after this, it is a new epoch.
        let sql = "update leadership set holder = '', held_until = $3 where name = $1 and holder = $2";
        self.run(sql, [name.into(), holder.into(), self.time(self.now)]).await?;
        Ok(())
    }
}

#[async_trait]
impl JobRows for SeaTx {
    async fn sync_jobs(&mut self, jobs: &[KnownJob]) -> Result<()> {
        for KnownJob { name, description, period, next_due_at } in jobs {
            let sql = "insert into jobs (name, period_us, paused, due_at, description) values ($1, $2, false, $3, $5)
                       on conflict (name) do update set
                           period_us = excluded.period_us, description = excluded.description,
                           due_at = case when jobs.period_us = excluded.period_us or jobs.due_at < $4
                                         then jobs.due_at else $4 end
                       where jobs.period_us <> excluded.period_us or jobs.description <> excluded.description";
            let values = [
                name.as_str().into(),
                microseconds(*period).into(),
                self.time(self.now),
                self.time(*next_due_at),
                description.as_str().into(),
            ];
            self.run(sql, values).await?;
        }
        Ok(())
    }

    async fn jobs(&mut self) -> Result<Vec<Job>> {
        let rows: Vec<job::Model> = self.rows("select * from jobs order by name", []).await?;
        rows.into_iter().map(Job::try_from).collect()
    }

    async fn last_job_runs(&mut self) -> Result<Vec<JobRun>> {
        let sql = "select r.* from jobs j
                   join job_runs r on r.id = (select max(id) from job_runs where job = j.name) order by r.job";
        let rows: Vec<job_run::Model> = self.rows(sql, []).await?;
        rows.into_iter().map(JobRun::try_from).collect()
    }

    async fn begin_job_run(&mut self, run: &NewJobRun) -> Result<bool> {
        let row = vec![
            run.job.as_str().into(),
            self.time(run.due_at),
            run.epoch.into(),
            run.server.as_str().into(),
            "running".into(),
            "".into(),
            self.time(self.now),
        ];
        let target = "job_runs (job, due_at, epoch, server, state, message, started_at)";
        let began = self.insert(target, vec![row], "on conflict (job, due_at) do nothing").await? == 1;
        let sql = "update jobs set last_due_at = due_at, due_at = $3, asked = false where name = $1 and due_at = $2";
        self.run(sql, [run.job.as_str().into(), self.time(run.due_at), self.time(run.next_due_at)]).await?;
        Ok(began)
    }

    async fn end_job_run(
        &mut self,
        job: &str,
        due_at: Timestamp,
        epoch: i64,
        state: JobRunState,
        message: &str,
    ) -> Result<bool> {
        let sql = "update job_runs set state = $4, message = $5, finished_at = $6
                   where job = $1 and due_at = $2 and epoch = $3 and state = 'running'";
        let values =
            [job.into(), self.time(due_at), epoch.into(), state.name().into(), message.into(), self.time(self.now)];
        Ok(self.run(sql, values).await? == 1)
    }

    async fn lose_job_runs(&mut self, epoch: i64) -> Result<()> {
        let sql = "update job_runs set state = 'lost', finished_at = $2,
                       message = 'the server that ran it ended first, or no longer led'
                   where state = 'running' and epoch <= $1";
        self.run(sql, [epoch.into(), self.time(self.now)]).await?;
        Ok(())
    }

    async fn prune_job_runs(&mut self, job: &str, keep: u64) -> Result<()> {
        let sql = "delete from job_runs where job = $1 and state <> 'running'
                       and id <= (select id from job_runs where job = $1 order by id desc limit 1 offset $2)";
        self.run(sql, [job.into(), limit(keep).into()]).await?;
        Ok(())
    }

    async fn set_job_due(&mut self, job: &str) -> Result<bool> {
        let sql =
            "update jobs set asked = true, due_at = case when due_at < $2 then due_at else $2 end where name = $1";
        Ok(self.run(sql, [job.into(), self.time(self.now)]).await? == 1)
    }

    async fn set_job_paused(&mut self, job: &str, paused: bool) -> Result<bool> {
        Ok(self.run("update jobs set paused = $2 where name = $1", [job.into(), paused.into()]).await? == 1)
    }

    async fn job_runs(&mut self, job: &str, page: Page) -> Result<Vec<JobRun>> {
        let sql = "select * from job_runs where job = $1 and id < $2 order by id desc limit $3";
        let before = page.before.unwrap_or(i64::MAX);
        let rows: Vec<job_run::Model> = self.rows(sql, [job.into(), before.into(), limit(page.limit).into()]).await?;
        rows.into_iter().map(JobRun::try_from).collect()
    }
}
