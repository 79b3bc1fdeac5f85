//! Inserting workflows with their tasks, each with its turn.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Begun, NewWorkflow};
use sprout_domain::{
    Error, Result, Timestamp, WorkflowId, lease,
    turn::{STEP, Turns},
    workflow::{TaskState, WorkflowState},
};

use super::appliance_of;
use crate::{convert::Named, task::Column, tx::SeaTx};

const WORKFLOW: &str = "workflows (kind, appliance_id, provider, owner_id, lane, priority, turn, dedup_key, parent_id,
                                   child_count, open_children, failed_children, state, error, created_at)";
const TASK: &str =
    "tasks (workflow_id, workflow, appliance_id, provider, step, position, lane, priority, turn, state, attempt, epoch,
                           cancel_requested, due_at, error, created_at)";

/// How often a key is asked for that is taken whenever we insert, and free whenever we look.
const TRIES: u32 = 5;

/// Where workflows compete, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Room {
    lane: i16,
    priority: i16,
    provider: String,
    /// 0: the service itself.
    owner: i64,
}

#[derive(FromQueryResult)]
struct Keyed {
    id: i64,
    dedup_key: Option<String>,
}

impl Room {
    /// None: a parent, which competes for nothing.
    fn of(new: &NewWorkflow) -> Option<Self> {
        Some(Self {
            lane: new.kind.lane() as i16,
            priority: new.priority,
            provider: new.provider.as_ref()?.0.clone(),
            owner: new.owner_id.map_or(0, |id| id.0),
        })
    }
}

impl SeaTx {
    /// See [`sprout_app::ports::WorkflowRows::insert_workflows`].
    pub(super) async fn insert_with_tasks(&self, new: &[NewWorkflow]) -> Result<Vec<Begun>> {
        let turns = self.turns(new).await?;
        let all: Vec<_> = new.iter().zip(turns).collect();
        let plain: Vec<_> = all.iter().filter(|(new, _)| new.dedup_key.is_none()).copied().collect();
        let rows = plain.iter().map(|(new, turn)| self.workflow_row(new, *turn)).collect();
        let mut inserted: Vec<Keyed> = self.insert_returning(WORKFLOW, rows, "returning id, dedup_key").await?;
        inserted.sort_by_key(|row| row.id); // numbers are given in the order of the values
        let mut plain_ids = inserted.into_iter().map(|row| row.id);
        let keyed = self.insert_keyed(&all).await?;

        let mut begun = Vec::with_capacity(new.len());
        let mut with_key = BTreeSet::new();
        let mut tasks = Vec::new();
        for (new, turn) in all {
            let (id, is_new) = match &new.dedup_key {
                None => (plain_ids.next().ok_or_else(|| Error::internal("a workflow was not inserted"))?, true),
                Some(key) => {
                    let (id, is_new) = keyed.get(key.as_str()).copied().ok_or_else(|| taken(key))?;
                    (id, is_new && with_key.insert(id)) // of several with one key, the first is the one
                }
            };
            begun.push(Begun { id: WorkflowId(id), is_new });
            if is_new {
                tasks.extend(self.steps(id, new, turn));
            }
        }
        self.insert(TASK, tasks, "").await?;
        Ok(begun)
    }

    /// Inserts those that have a key, where it is free. Who has each key, and whether it was inserted.
    async fn insert_keyed(&self, all: &[(&NewWorkflow, i64)]) -> Result<BTreeMap<String, (i64, bool)>> {
        let mut owners = BTreeMap::new();
        let mut left: BTreeMap<&str, _> =
            all.iter().rev().filter_map(|(new, turn)| Some((new.dedup_key.as_deref()?, (*new, *turn)))).collect();
        for _ in 0..TRIES {
            if left.is_empty() {
                break;
            }
            let rows = left.values().map(|(new, turn)| self.workflow_row(new, *turn)).collect();
            // Waits for whoever is about to insert the same key; and then a statement of its own sees it.
            let rest = "on conflict do nothing returning id, dedup_key";
            let inserted: Vec<Keyed> = self.insert_returning(WORKFLOW, rows, rest).await?;
            let keep = |rows: Vec<Keyed>, is_new| {
                rows.into_iter().filter_map(move |row| Some((row.dedup_key?, (row.id, is_new)))).collect::<Vec<_>>()
            };
            owners.extend(keep(inserted, true));
            left.retain(|key, _| !owners.contains_key(*key));
            if left.is_empty() {
                break;
            }
            let sql = format!(
                "select id, dedup_key from workflows where finished_at is null and dedup_key is not null and dedup_key {}",
                self.among(1)
            );
            owners.extend(keep(self.rows(&sql, [self.texts(left.keys().copied())]).await?, false));
            left.retain(|key, _| !owners.contains_key(*key)); // those that ended meanwhile are free again
        }
        Ok(owners)
    }

    /// See [`sprout_app::ports::WorkflowRows::insert_copies`].
    pub(super) async fn insert_alike(&self, new: &NewWorkflow, count: i64) -> Result<()> {
        let (Some(parent), None) = (new.parent_id, &new.dedup_key) else {
            return Err(Error::internal("copies of a workflow have a parent and no key"));
        };
        let first = self.turns(std::slice::from_ref(new)).await?.first().copied().unwrap_or_default();
        let mut workflow = self.workflow_row(new, 0);
        let columns = workflow.len();
        workflow.extend([first.into(), count.into()]);
        let [turn, last] = [columns + 1, columns + 2].map(|number| format!("${number}"));
        let cast = self.on_postgres();
        let series = if cast {
            format!("select generate_series(0, {last}::bigint - 1) as n")
        } else {
            format!(
                "with recursive one(n) as (select 0 where {last} > 0 union all select n + 1 from one where n + 1 < {last}) select n from one"
            )
        };
        let column = |(index, kind): (usize, &str)| match (kind, cast) {
            ("turn", _) => format!("{turn} + n * {STEP} + 0 * ${}", index + 1),
            (kind, true) => format!("${}::{kind}", index + 1),
            (_, false) => format!("${}", index + 1),
        };
        let kinds = [
            "text",
            "bigint",
            "text",
            "bigint",
            "smallint",
            "smallint",
            "turn",
            "text",
            "bigint",
            "bigint",
            "bigint",
            "bigint",
            "text",
            "text",
            "timestamptz",
        ];
        let values: Vec<_> = kinds.into_iter().enumerate().map(column).collect();
        let sql = format!("insert into {WORKFLOW} select {} from ({series}) as copies", values.join(", "));
        self.run(&sql, workflow).await?;

        for (step, position) in new.kind.steps().iter().zip(0_i64..) {
            let first = position == 0 && !new.wait;
            let state = if first { TaskState::Ready } else { TaskState::Blocked };
            let (now, due) = if cast { ("$1::timestamptz", "$2::timestamptz") } else { ("$1", "$2") };
            let sql = format!(
                "insert into {TASK}
                 select id, kind, appliance_id, provider, '{}', {position}, lane, priority, turn, '{}', 0, 0, {}, {due}, '', {now}
                 from workflows where parent_id = $3 and kind = $4",
                step.name(),
                state.name(),
                self.no(),
            );
            let values =
                [self.time(self.now), self.time(self.due(new, position)), parent.0.into(), new.kind.name().into()];
            self.run(&sql, values).await?;
        }
        Ok(())
    }

    fn workflow_row(&self, new: &NewWorkflow, turn: i64) -> Vec<Value> {
        let state = if new.kind.is_parent() { WorkflowState::Running } else { WorkflowState::Pending };
        vec![
            new.kind.name().into(),
            appliance_of(&new.subject).into(),
            new.provider.as_ref().map(|key| key.0.clone()).into(),
            new.owner_id.map(|id| id.0).into(),
            (new.kind.lane() as i16).into(),
            new.priority.into(),
            turn.into(),
            new.dedup_key.clone().into(),
            new.parent_id.map(|id| id.0).into(),
            0_i64.into(),
            0_i64.into(),
            0_i64.into(),
            state.name().into(),
            "".into(),
            self.time(self.now),
        ]
    }

    /// The tasks of a new workflow, one per step.
    fn steps(&self, id: i64, new: &NewWorkflow, turn: i64) -> impl Iterator<Item = Vec<Value>> {
        let first = if new.wait { TaskState::Blocked } else { TaskState::Ready };
        new.kind.steps().iter().zip(0_i64..).map(move |(step, position)| {
            let state = if position == 0 { first } else { TaskState::Blocked };
            vec![
                id.into(),
                new.kind.name().into(),
                appliance_of(&new.subject).into(),
                new.provider.as_ref().map(|key| key.0.clone()).into(),
                step.name().into(),
                position.into(),
                (new.kind.lane() as i16).into(),
                new.priority.into(),
                turn.into(),
                state.name().into(),
                0_i64.into(),
                0_i64.into(),
                false.into(),
                self.time(self.due(new, position)),
                "".into(),
                self.time(self.now),
            ]
        })
    }

    fn due(&self, new: &NewWorkflow, position: i64) -> Timestamp {
        if position == 0 { lease::end(self.now, new.start_in) } else { self.now }
    }

    /// The turn of each new workflow.
    async fn turns(&self, new: &[NewWorkflow]) -> Result<Vec<i64>> {
        let rooms: BTreeSet<Room> = new.iter().filter_map(Room::of).collect();
        let mut next = self.next_turns(rooms).await?;
        let turn = |new: &NewWorkflow| {
            let next = Room::of(new).and_then(|room| next.get_mut(&room))?;
            *next += STEP;
            Some(*next - STEP)
        };
        Ok(new.iter().map(turn).map(Option::unwrap_or_default).collect())
    }

    /// The next turn of each owner where it competes. Each is three looks at the end of an index, however much is queued.
    async fn next_turns(&self, rooms: BTreeSet<Room>) -> Result<BTreeMap<Room, i64>> {
        #[derive(FromQueryResult)]
        struct Row {
            lane: i64,
            priority: i64,
            provider: String,
            owner: i64,
            waiting: Option<i64>,
            highest: Option<i64>,
            own: Option<i64>,
        }
        if rooms.is_empty() {
            return Ok(BTreeMap::new());
        }
        let columns = vec![
            ("lane", Column::Numbers(rooms.iter().map(|room| i64::from(room.lane)).collect())),
            ("priority", Column::Numbers(rooms.iter().map(|room| i64::from(room.priority)).collect())),
            ("provider", Column::Texts(rooms.iter().map(|room| room.provider.clone()).collect())),
            ("owner", Column::Numbers(rooms.iter().map(|room| room.owner).collect())),
        ];
        let (table, values) = self.table(1, columns);
        let here =
            |of: &str| format!("{of}.lane = r.lane and {of}.priority = r.priority and {of}.provider = r.provider");
        let sql = format!(
            "select r.*,
                    (select t.turn from tasks t where {} and t.state = 'ready' and t.epoch = 0 and t.due_at = t.created_at
                     order by t.turn limit 1) as waiting,
                    (select w.turn from workflows w where {} and w.finished_at is null order by w.turn desc limit 1) as highest,
                    (select o.turn from workflows o where o.owner_id = r.owner and {} and o.finished_at is null
                     order by o.turn desc limit 1) as own
             from ({table}) as r",
            here("t"),
            here("w"),
            here("o"),
        );
        let rows: Vec<Row> = self.rows(&sql, values).await?;
        let number = |number: i64| i16::try_from(number).unwrap_or_default(); // it was one
        let turns = rows.into_iter().map(|row| {
            let Row { waiting, highest, own, .. } = row;
            let room = Room {
                lane: number(row.lane),
                priority: number(row.priority),
                provider: row.provider,
                owner: row.owner,
            };
            (room, Turns { waiting, highest, own }.next())
        });
        Ok(turns.collect())
    }
}

fn taken(key: &str) -> Error {
    Error::internal(format!("workflows with the key {key:?} begin and end faster than one can be found"))
}
