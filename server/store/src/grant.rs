//! Taking warm appliances to hand them out: one's own stock first, then everyone's, then that of others; what has proven ready lately first.

use sea_orm::{FromQueryResult, Value};
use sprout_app::ports::{TakeWarm, Warm};
use sprout_domain::{ApplianceId, Result, TemplateId};

use crate::{convert::limit, tx::SeaTx};

/// Warm ones that can be granted, in words that the partial index has too.
pub(crate) const GRANTABLE: &str = "state = 'ready' and pool_id is null and memory_mib is null and cpus is null";
/// How much further it is looked where others have locked what is at the head: as many as other servers may take at once.
const DEEPER: u64 = 256;

/// The condition that a pool without overrides waits for appliances of the kind of a template; asked once, whatever the number of appliances.
fn waited_for(template: &str) -> String {
    format!(
        "exists (select 1 from pools p join templates t
                     on t.group_name = p.group_name and t.version = p.version and t.build_date = p.build_date and t.unconfigured = p.unconfigured
                 where p.waiting_count > 0 and p.state in ('waiting', 'provisioning') and p.memory_mib is null and p.cpus is null
                   and not p.updated and t.id {template})"
    )
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    rank: i64,
}

/// Heads of the index that are looked at, each with its rank; those of lower rank are taken first.
#[derive(Default)]
struct Heads {
    selects: Vec<String>,
    /// Parameters that are templates.
    templates: Vec<String>,
    values: Vec<Value>,
}

impl Heads {
    fn parameter(&mut self, value: impl Into<Value>) -> usize {
        self.values.push(value.into());
        self.values.len()
    }

    /// Adds one head. `$1` is how many are wanted, `$2` how deep it is looked, `$3` since when a proof is good.
    fn add(&mut self, rank: i64, condition: &str) {
        self.selects.push(format!(
            "select id, cast({rank} as bigint) as rank from (select id from appliances where {GRANTABLE} and {condition}
                                             order by proven_at, id limit $2) head{}",
            self.selects.len()
        ));
    }
}

const FRESH: &str = "proven_at > $3";
const STALE: &str = "proven_at <= $3";
/// Ranks: one's own stock and everyone's, fresh (0, 1) and stale (2, 3), then that of others.
const OTHERS_FRESH: i64 = 4;
const OTHERS_STALE: i64 = 5;

fn is_fresh(rank: i64) -> bool {
    matches!(rank, 0 | 1 | OTHERS_FRESH)
}

/// Locks up to so many, as [`sprout_app::ports::ApplianceRows::take_warm`] says.
pub(crate) async fn take_warm(tx: &SeaTx, take: &TakeWarm) -> Result<Vec<Warm>> {
    if take.templates.is_empty() || take.count == 0 {
        return Ok(Vec::new());
    }
    // As usual all is had here: the index gives the order, and the cost does not depend on how many are warm.
    let found = match (&take.templates[..], &take.user_groups[..]) {
        ([template], []) => at_one_head(tx, take, *template).await?,
        _ => at_heads(tx, heads(tx, take, take.count, false), take.behind).await?,
    };
    if found.len() as u64 >= take.count {
        return Ok(found);
    }
    // Others may have locked some of them: then it is looked further. What was found is found again.
    at_heads(tx, heads(tx, take, take.count.saturating_add(DEEPER), true), take.behind).await
}

fn heads(tx: &SeaTx, take: &TakeWarm, depth: u64, all: bool) -> Heads {
    let mut heads = Heads::default();
    heads.parameter(limit(take.count));
    heads.parameter(limit(depth));
    heads.parameter(tx.time(take.proven_since));
    let flocks: Vec<usize> = take.user_groups.iter().map(|id| heads.parameter(id.0)).collect();
    let nobodys = std::iter::once("0".to_owned());
    let flocks: Vec<String> = nobodys.chain(flocks.into_iter().map(|number| format!("${number}"))).collect();
    for template in &take.templates {
        let number = heads.parameter(template.0);
        heads.templates.push(format!("${number}"));
        let template = format!("template_id = ${number}");
        for flock in &flocks {
            let of = format!("{template} and coalesce(user_group_id, 0) = {flock}");
            let rank = i64::from(flock == "0");
            heads.add(rank, &format!("{of} and {FRESH}"));
            if all {
                heads.add(rank + 2, &format!("{of} and {STALE}"));
            }
        }
        if all {
            let others = format!("{template} and coalesce(user_group_id, 0) not in ({})", flocks.join(", "));
            heads.add(OTHERS_FRESH, &format!("{others} and {FRESH}"));
            heads.add(OTHERS_STALE, &format!("{others} and {STALE}"));
        }
    }
    heads
}

/// The condition that nobody waits for the templates, where that matters.
fn unwanted(behind: bool, templates: &str) -> String {
    if behind { format!("and not {}", waited_for(templates)) } else { String::new() }
}

/// What others have locked is passed by the index itself.
async fn at_one_head(tx: &SeaTx, take: &TakeWarm, template: TemplateId) -> Result<Vec<Warm>> {
    let sql = format!(
        "select id, cast(1 as bigint) as rank from appliances
         where {GRANTABLE} and template_id = $2 and coalesce(user_group_id, 0) = 0 and {FRESH} {}
         order by proven_at, id limit $1{}",
        unwanted(take.behind, "= $2"),
        tx.locked_skipping()
    );
    tx.rows(&sql, [limit(take.count).into(), template.0.into(), tx.time(take.proven_since)]).await.map(told)
}

async fn at_heads(tx: &SeaTx, heads: Heads, behind: bool) -> Result<Vec<Warm>> {
    let locked = if tx.on_postgres() { " for no key update of a skip locked" } else { "" };
    let sql = format!(
        "select a.id, h.rank from ({}) h join appliances a on a.id = h.id
         where {GRANTABLE} {} order by h.rank, a.proven_at, a.id limit $1{locked}",
        heads.selects.join(" union all "),
        unwanted(behind, &format!("in ({})", heads.templates.join(", "))),
    );
    tx.rows(&sql, heads.values).await.map(told)
}

fn told(rows: Vec<Row>) -> Vec<Warm> {
    rows.into_iter().map(|row| Warm { id: ApplianceId(row.id), proven: is_fresh(row.rank) }).collect()
}
