//! Inserting workflows with their tasks, each with its turn.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{Begun, NewWorkflow};
use sprout_domain::{
    Error, Result, Timestamp, WorkflowId, lease,
    turn::{STEP, Turns},
    workflow::{StepKind, TaskState, Workflow, WorkflowKind, WorkflowState},
};

use super::{appliance_of, machine_of, machine_tag_of, template_of};
use crate::{convert::Named, task::Column, tx::SeaTx};

const WORKFLOW: &str = "workflows (kind, appliance_id, provider, owner_id, lane, priority, turn, dedup_key, parent_id,
                                   child_count, open_children, failed_children, state, error, created_at, template_id, late_at, machine, machine_tag)";
/// The columns of [`WORKFLOW`] with their types.
const WORKFLOW_COLUMNS: [(&str, &str); 19] = [
    ("kind", "text"),
    ("appliance_id", "bigint"),
    ("provider", "text"),
    ("owner_id", "bigint"),
    ("lane", "smallint"),
    ("priority", "smallint"),
    ("turn", "bigint"),
    ("dedup_key", "text"),
    ("parent_id", "bigint"),
    ("child_count", "bigint"),
    ("open_children", "bigint"),
    ("failed_children", "bigint"),
    ("state", "text"),
    ("error", "text"),
    ("created_at", "timestamptz"),
    ("template_id", "bigint"),
    ("late_at", "timestamptz"),
    ("machine", "text"),
    ("machine_tag", "bigint"),
];
const TASK: &str =
    "tasks (workflow_id, workflow, appliance_id, provider, step, position, lane, priority, turn, state, attempt, epoch,
                           cancel_requested, due_at, error, created_at, template_id, machine, machine_tag)";

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
struct Inserted {
    id: i64,
}

/// Parts to insert: of which parent, from which turn on, and how many.
struct Series {
    parent: String,
    first: i64,
    count: u32,
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
        let rows = plain.iter().map(|(new, turn)| self.workflow_row(new, *turn, 0)).collect();
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
            let rows = left.values().map(|(new, turn)| self.workflow_row(new, *turn, 0)).collect();
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

    /// See [`sprout_app::ports::WorkflowRows::insert_parent_of`].
    pub(super) async fn insert_alike(&self, kind: WorkflowKind, part: &NewWorkflow, count: u32) -> Result<Workflow> {
        let parent = NewWorkflow::parent(kind);
        if parent.dedup_key.is_some() || part.dedup_key.is_some() {
            return Err(Error::internal("copies of a workflow and their parent have no key"));
        }
        let first = self.turns(std::slice::from_ref(part)).await?.first().copied().unwrap_or_default();
        let id = if self.on_postgres() {
            let mut values = self.workflow_row(&parent, 0, count);
            let numbers: Vec<_> = (1..=values.len()).map(|number| format!("${number}")).collect();
            let series = Series { parent: "parent.id".to_owned(), first, count };
            let parts = self.alike("parent", part, &series, &mut values);
            let tasks: Vec<_> = (0_i64..)
                .zip(part.kind.steps())
                .map(|(position, step)| {
                    let tasks = self.tasks_of_parts("parts", part, (position, step), &mut values);
                    format!("tasks_{position} as ({tasks})")
                })
                .collect();
            // In one go: what refers to what is only looked at in the end.
            let sql = format!(
                "with parent as (insert into {WORKFLOW} values ({}) returning id), parts as ({parts} returning *), {} select id from parent",
                numbers.join(", "),
                tasks.join(", ")
            );
            self.row::<Inserted>(&sql, values).await?
        } else {
            let row = self.workflow_row(&parent, 0, count);
            let inserted = self.insert_returning::<Inserted>(WORKFLOW, vec![row], "returning id").await?.pop();
            if let Some(Inserted { id }) = &inserted {
                let mut values = Vec::new();
                let series = Series { parent: id.to_string(), first, count };
                let parts = self.alike("(select 1) as parent", part, &series, &mut values);
                self.run(&parts, values).await?;
                for step in (0_i64..).zip(part.kind.steps()) {
                    let mut values = Vec::new();
                    let from = format!("workflows where parent_id = {id}");
                    let tasks = self.tasks_of_parts(&from, part, step, &mut values);
                    self.run(&tasks, values).await?;
                }
            }
            inserted
        };
        let Inserted { id } = id.ok_or_else(|| Error::internal("a parent that was not inserted"))?;
        Ok(Workflow {
            id: WorkflowId(id),
            kind,
            state: WorkflowState::Running,
            subject: parent.subject,
            provider: None,
            owner_id: None,
            parent_id: None,
            child_count: count,
            open_child_count: count,
            failed_child_count: 0,
            step: None,
            error: String::new(),
            created_at: self.now,
            finished_at: None,
        })
    }

    /// The statement that inserts parts, all alike but for their turns. Adds its parameters.
    fn alike(&self, parent: &str, part: &NewWorkflow, series: &Series, values: &mut Vec<Value>) -> String {
        let mut parameter = |value: Value, kind: &str| {
            values.push(value);
            if self.on_postgres() { format!("${}::{kind}", values.len()) } else { format!("${}", values.len()) }
        };
        let columns: Vec<_> = WORKFLOW_COLUMNS
            .into_iter()
            .zip(self.workflow_row(part, series.first, 0))
            .map(|((name, kind), value)| match name {
                "turn" => format!("{} + n * {STEP}", parameter(value, kind)),
                "parent_id" => series.parent.clone(),
                _ => parameter(value, kind),
            })
            .collect();
        let last = parameter(i64::from(series.count).into(), "bigint");
        let copies = if self.on_postgres() {
            format!("generate_series(0, {last} - 1) as n")
        } else {
            format!(
                "(with recursive one(n) as (select 0 where {last} > 0 union all select n + 1 from one where n + 1 < {last}) select n from one)"
            )
        };
        format!("insert into {WORKFLOW} select {} from {parent}, {copies}", columns.join(", "))
    }

    /// The statement that inserts the tasks at one place of all workflows found in `from`. Adds its parameters.
    fn tasks_of_parts(
        &self,
        from: &str,
        part: &NewWorkflow,
        (position, step): (i64, &StepKind),
        values: &mut Vec<Value>,
    ) -> String {
        let first = position == 0 && !part.wait;
        let state = if first { TaskState::Ready } else { TaskState::Blocked };
        values.extend([self.time(self.now), self.time(self.due(part, position))]);
        let time = if self.on_postgres() { "::timestamptz" } else { "" };
        let (now, due) = (format!("${}{time}", values.len() - 1), format!("${}{time}", values.len()));
        format!(
            "insert into {TASK}
             select id, kind, appliance_id, provider, '{}', {position}, lane, priority, turn, '{}', 0, 0, {}, {due}, '', {now}, template_id, machine, machine_tag from {from}",
            step.name(),
            state.name(),
            self.no(),
        )
    }

    fn workflow_row(&self, new: &NewWorkflow, turn: i64, parts: u32) -> Vec<Value> {
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
            i64::from(parts).into(),
            i64::from(parts).into(),
            0_i64.into(),
            state.name().into(),
            "".into(),
            self.time(self.now),
            template_of(&new.subject).into(),
            self.optional_time(new.late_in.map(|time| lease::end(self.now, time))),
            machine_of(&new.subject).into(),
            machine_tag_of(&new.subject).into(),
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
                template_of(&new.subject).into(),
                machine_of(&new.subject).into(),
                machine_tag_of(&new.subject).into(),
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
