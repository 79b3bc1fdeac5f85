//! Renewing proofs: a warm appliance that proved ready long ago is bound to its pool at once, so that nobody else takes it, and proves again that
//! it is ready before the pool counts it. One that does not is replaced, and its pool learns nothing of it but that it takes longer.

use std::{collections::BTreeSet, time::Duration};

use sprout_domain::{
    ApplianceId, GroupName, PoolId, Result, Timestamp,
    appliance::{Appliance, ApplianceEvent},
    event::EventKind,
    group::Probe,
    lease::{self, LeaseEnd},
    pool::{Pool, PoolState},
    workflow::{Subject, WorkflowKind},
};

use crate::{
    kill::kill_appliances,
    ports::{ApplianceChange, Grant, NewWorkflow, Topic, Warm},
    work::Work,
};

/// All probes together may take this long: it was ready before, and someone waits.
const LIMIT: Duration = Duration::from_secs(30);

/// What proved ready later than this need not prove it again.
pub(crate) fn good_since(work: &Work, group: &GroupName) -> Timestamp {
    let limit = work.catalogue.groups.get(group).map(|group| group.proof_limit);
    lease::begin(work.tx.now(), limit.unwrap_or_default())
}

/// The probes of a proof that is renewed.
pub(crate) fn hurried(probes: Vec<Probe>) -> Vec<Probe> {
    let hurry = |probe: Probe| Probe { deadline: probe.deadline.min(LIMIT), ..probe };
    probes.into_iter().map(hurry).collect()
}

/// Has those of the granted whose proof is old prove again that they are ready.
pub(crate) async fn begin(work: &mut Work, doubted: &BTreeSet<ApplianceId>, granted: &mut [Appliance]) -> Result<()> {
    let now = work.tx.now();
    let status = "proves again that it is ready";
    let (mut ids, mut workflows) = (Vec::new(), Vec::new());
    for appliance in granted.iter_mut().filter(|appliance| doubted.contains(&appliance.id)) {
        let Some(state) = appliance.state.after(ApplianceEvent::Doubted) else { continue };
        appliance.state = state;
        status.clone_into(&mut appliance.status);
        appliance.status_changed_at = now;
        ids.push(appliance.id);
        let subject = Subject::Appliance(appliance.id);
        workflows.push(NewWorkflow::new(WorkflowKind::Prove, subject, Some(appliance.provider.clone())));
        work.emit_appliance(EventKind::ApplianceState, appliance, format!("{} {status}", appliance.name));
    }
    let Some(state) = granted.iter().find(|appliance| ids.contains(&appliance.id)).map(|appliance| appliance.state)
    else {
        return Ok(());
    };
    let change = ApplianceChange { state: Some(state), status: Some(status.to_owned()), ..ApplianceChange::default() };
    work.tx.change_appliances(&ids, &change).await?;
    work.tx.insert_workflows(workflows).await?;
    work.wake(Topic::Tasks);
    Ok(())
}

/// Kills one that did not prove it; its seat waits for another one. That is no failure of the pool's (locked), nor of the template's.
pub(crate) async fn failed(work: &mut Work, appliance: &Appliance, pool: Option<&Pool>, why: &str) -> Result<()> {
    let unfulfilled = |pool: &&Pool| matches!(pool.state, PoolState::Waiting | PoolState::Provisioning);
    if let Some(pool) = pool.filter(unfulfilled) {
        work.tx.add_waiting(&[(pool.id, 1)]).await?;
        work.wake(Topic::Queue);
    }
    kill_appliances(work, &[appliance.id], &format!("it did not prove again that it is ready: {why}")).await
}

/// How a warm appliance that was taken is bound to a pool.
pub(crate) fn bound(warm: Warm, pool: PoolId, lease: Option<LeaseEnd>) -> Grant {
    Grant { appliance: warm.id, proven: warm.proven, pool, lease }
}
