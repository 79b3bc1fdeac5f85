//! Quiet, and then the promises.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sprout_client::{
    Connection,
    proto::{
        appliance::{Appliance, ApplianceState, ListAppliancesRequest},
        event::{Event, WatchRequest},
        pool::{GetPoolRequest, KillPoolRequest, PoolState},
        sim::{JournalEntry, JournalKind, JournalRequest},
        workflow::ListWorkflowsRequest,
    },
};
use sprout_e2e::retry;
use tokio::time::{sleep, timeout};

use crate::{
    fault::Faults,
    load::Served,
    world::{APPLIANCE_LIMIT, PROVISIONING_LIMIT, World},
};

/// One promise, and how it was broken.
struct Promise {
    what: &'static str,
    broken: Vec<String>,
}

/// What was found.
pub(crate) struct Report {
    promises: Vec<Promise>,
    summary: String,
}

impl Report {
    pub(crate) async fn make(world: &World, served: &Served, faults: &Faults) -> Result<Self> {
        let client = world.installation.client(1)?;
        let quiet = quiet(&client, served).await;
        let events = all_events(&client).await?;
        let there = appliances(&client).await?;
        let journal = journal(world).await?;
        let promises = vec![
            Promise {
                what: "everything came to rest",
                broken: quiet.err().map(|e| format!("{e:#}")).into_iter().collect(),
            },
            Promise { what: "no appliance had two owners at any event", broken: two_owners(&events) },
            Promise { what: "every request was answered or explained", broken: answered(&client, served).await? },
            Promise {
                what: "appliances on the provider = appliances in the database",
                broken: compare(&there, &journal),
            },
            Promise { what: "nothing of what was killed is left over", broken: left_over(&there) },
            Promise { what: "no slot limit was ever exceeded", broken: limits(&journal) },
            Promise { what: "the watcher missed no event and saw none twice", broken: missed(&events, served) },
        ];
        let by_kind: Vec<_> = faults.0.iter().map(|(what, count)| format!("{what} {count}")).collect();
        let summary = format!(
            "{} faults ({}); {} pools requested, {} got ready, {} said what they waited for when all was over, {} refused while the provider was away; {} calls answered, {} had to be repeated; {} events, {} entries in the provider's journal",
            faults.total(),
            by_kind.join(", "),
            served.pools.len(),
            served.ready,
            served.explained,
            served.refused,
            served.calls,
            served.repeated,
            events.len(),
            journal.len(),
        );
        Ok(Self { promises, summary })
    }

    /// Prints it; returns whether all promises were kept.
    pub(crate) fn print(&self, seed: u64) -> bool {
        println!("\nchaos: {}", self.summary);
        for Promise { what, broken } in &self.promises {
            println!("  {:9} {what}", if broken.is_empty() { "ok" } else { "VIOLATED" });
            broken.iter().take(20).for_each(|how| println!("            {how}"));
        }
        let violations: usize = self.promises.iter().map(|promise| promise.broken.len()).sum();
        println!("{violations} violations, seed {seed}");
        violations == 0
    }
}

/// Ends all pools, and waits until nothing is under way any more.
async fn quiet(client: &Connection, served: &Served) -> Result<()> {
    for id in served.pools.keys() {
        retry("a pool is killed", async || {
            Ok(client.pools().kill_pool(KillPoolRequest { id: *id }).await.map(drop).or_else(ended)?)
        })
        .await?;
    }
    timeout(Duration::from_secs(300), async {
        loop {
            match at_rest(client).await {
                Ok(()) => return,
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    })
    .await
    .ok();
    at_rest(client).await
}

/// One that has ended cannot be killed.
fn ended(status: tonic::Status) -> Result<(), tonic::Status> {
    if status.code() == tonic::Code::FailedPrecondition { Ok(()) } else { Err(status) }
}

async fn at_rest(client: &Connection) -> Result<()> {
    let workflows = client.workflows().list_workflows(ListWorkflowsRequest::default()).await?.into_inner().workflows;
    let live: Vec<_> =
        workflows.iter().map(|w| format!("workflow {} ({:?}, {}, {})", w.id, w.kind(), w.step, w.error)).collect();
    ensure!(live.is_empty(), "still under way: {}", live.join("; "));
    let unready: Vec<_> = appliances(client)
        .await?
        .into_iter()
        .filter(|a| a.state() != ApplianceState::Ready)
        .map(|a| format!("{} is {:?}: {}", a.name, a.state(), a.status))
        .collect();
    ensure!(unready.is_empty(), "{}", unready.join("; "));
    Ok(())
}

async fn appliances(client: &Connection) -> Result<Vec<Appliance>> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListAppliancesRequest { page_size: 500, page_token, ..ListAppliancesRequest::default() };
        let page = client.appliances().list_appliances(request).await?.into_inner();
        all.extend(page.appliances);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

async fn all_events(client: &Connection) -> Result<Vec<Event>> {
    let request = WatchRequest { after_sequence: Some(0), ..WatchRequest::default() };
    let mut stream = client.events().watch(request).await?.into_inner();
    let mut events = Vec::new();
    // The log has no end; what has happened comes without a pause.
    while let Ok(message) = timeout(Duration::from_secs(3), stream.message()).await {
        events.extend(message?.context("the watch ended")?.event);
    }
    Ok(events)
}

async fn journal(world: &World) -> Result<Vec<JournalEntry>> {
    let mut stream = world.simulator()?.journal(JournalRequest { after: 0 }).await?.into_inner();
    let mut entries = Vec::new();
    while let Some(page) = stream.message().await? {
        entries.extend(page.entries);
    }
    Ok(entries)
}

fn two_owners(events: &[Event]) -> Vec<String> {
    let mut owners: BTreeMap<u64, u64> = BTreeMap::new();
    let mut broken = Vec::new();
    for event in events {
        let (Some(appliance), Some(pool)) = (event.appliance_id, event.pool_id) else { continue };
        // One that nobody could use yet may go on for another, who waits.
        if event.state.as_deref() != Some("ready") {
            continue;
        }
        let owner = *owners.entry(appliance).or_insert(pool);
        if owner != pool {
            broken.push(format!(
                "appliance {appliance} was pool {owner}'s and is pool {pool}'s at event {}",
                event.sequence
            ));
        }
    }
    broken
}

async fn answered(client: &Connection, served: &Served) -> Result<Vec<String>> {
    let mut broken = served.violations.clone();
    for id in served.pools.keys() {
        let pool = retry("a pool is told", async || {
            Ok(client.pools().get_pool(GetPoolRequest { id: *id }).await?.into_inner().pool)
        })
        .await?;
        let Some(pool) = pool else {
            broken.push(format!("pool {id} is gone"));
            continue;
        };
        let fine = match pool.state() {
            PoolState::Ended => true,
            PoolState::Failed => !pool.status.is_empty(),
            _ => false,
        };
        if !fine {
            broken.push(format!("pool {id} is {:?}: {:?}", pool.state(), pool.status));
        }
    }
    if served.pools.is_empty() || served.ready == 0 {
        broken.push("no pool got ready at all".to_owned());
    }
    Ok(broken)
}

/// What is on the provider by its journal, against what the database says.
fn compare(there: &[Appliance], journal: &[JournalEntry]) -> Vec<String> {
    let mut instances = BTreeSet::new();
    for entry in journal {
        match entry.kind() {
            JournalKind::Creating | JournalKind::Created => drop(instances.insert(entry.name.clone())),
            JournalKind::Gone => drop(instances.remove(&entry.name)),
            JournalKind::Reset => instances.clear(),
            _ => {}
        }
    }
    let known: BTreeSet<_> = there.iter().map(|appliance| appliance.name.clone()).collect();
    let leaked = instances.difference(&known).map(|name| format!("{name} is on the provider, and not in the database"));
    // An instance that a fault took away is missing until somebody looks.
    let lost: BTreeSet<_> = journal
        .iter()
        .filter(|entry| entry.operation.is_empty() && entry.kind() == JournalKind::Gone)
        .map(|entry| &entry.name)
        .collect();
    let missing = known
        .difference(&instances)
        .filter(|name| !lost.contains(name))
        .map(|name| format!("{name} is in the database, and not on the provider"));
    leaked.chain(missing).collect()
}

fn left_over(there: &[Appliance]) -> Vec<String> {
    let of_pool = there.iter().filter(|appliance| appliance.pool_id.is_some());
    of_pool.map(|a| format!("{} of pool {:?} is {:?}: {}", a.name, a.pool_id, a.state(), a.status)).collect()
}

fn limits(journal: &[JournalEntry]) -> Vec<String> {
    let over = |entry: &&JournalEntry| entry.creating > PROVISIONING_LIMIT || entry.instances > APPLIANCE_LIMIT;
    let tell = |entry: &JournalEntry| {
        format!("{} created at once, {} there at entry {}", entry.creating, entry.instances, entry.number)
    };
    journal.iter().filter(over).map(tell).collect()
}

fn missed(events: &[Event], served: &Served) -> Vec<String> {
    let all: Vec<u64> = events.iter().map(|event| event.sequence).collect();
    let watched = &served.watched;
    let end = watched.last().copied().unwrap_or_default();
    let expected: Vec<u64> = all.into_iter().filter(|sequence| *sequence <= end).collect();
    if expected == *watched {
        return Vec::new();
    }
    let (had, wanted): (BTreeSet<_>, BTreeSet<_>) = (watched.iter().collect(), expected.iter().collect());
    let missed: Vec<_> = wanted.difference(&had).take(10).collect();
    vec![format!(
        "{} events watched, {} distinct, {} there; missed e.g. {missed:?}",
        watched.len(),
        had.len(),
        wanted.len()
    )]
}
