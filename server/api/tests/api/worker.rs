//! Workers as staff see and manage them.

use std::collections::BTreeMap;

use sprout_app::ports::WorkerHello;
use sprout_domain::{worker::Slots, workflow::Lane};
use sprout_proto::{
    task,
    worker::{
        DrainWorkerRequest, GetWorkerRequest, LaneSlots, ListWorkersRequest, RemoveWorkerRequest, UndrainWorkerRequest,
        Worker,
    },
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::support::{Served, assert_refused, field};

on_each_database!(a_worker_is_shown_whole, a_worker_is_drained_and_removed, unknown_workers_are_told);

pub(crate) fn slots(shared: u32, kill: u32) -> Slots {
    Slots { shared, lanes: BTreeMap::from([(Lane::Kill, kill)]) }
}

/// Opens a session of a worker with 8 slots and 4 for kills.
pub(crate) async fn connect(served: &Served, id: &str) -> anyhow::Result<()> {
    let hello = WorkerHello {
        id: id.into(),
        version: "1.2".to_owned(),
        drivers: vec!["container".to_owned()],
        slots: slots(8, 4),
        labels: BTreeMap::from([("site".to_owned(), "lab".to_owned())]),
        leaving: false,
    };
    served.app.worker_connected(&hello, &format!("session of {id}"), &[]).await?;
    Ok(())
}

async fn a_worker_is_shown_whole(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    connect(&served, "w1").await?;
    let workers = staff.workers.list_workers(ListWorkersRequest {}).await?.into_inner().workers;
    let expected = Worker {
        id: "w1".to_owned(),
        version: "1.2".to_owned(),
        connected: true,
        slots: 8,
        running: 0,
        provider_types: vec!["container".to_owned()],
        last_heard_at: workers[0].last_heard_at,
        labels: [("site".to_owned(), "lab".to_owned())].into(),
        lane_slots: vec![LaneSlots { lane: task::Lane::Kill.into(), slots: 4 }],
        drained: false,
        leaving: false,
    };
    assert!(expected.last_heard_at.is_some());
    assert_eq!(workers, [expected]);
    Ok(())
}

async fn a_worker_is_drained_and_removed(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    connect(&served, "w1").await?;
    let token = served.app.create_worker_token(&"w1".into()).await?;
    let id = "w1".to_owned();
    // Each may be repeated.
    for _ in 0..2 {
        let drained = staff.workers.drain_worker(DrainWorkerRequest { id: id.clone() }).await?.into_inner();
        assert!(drained.worker.is_some_and(|worker| worker.drained && worker.connected));
    }
    let undrained = staff.workers.undrain_worker(UndrainWorkerRequest { id: id.clone() }).await?.into_inner();
    assert!(undrained.worker.is_some_and(|worker| !worker.drained));
    staff.workers.remove_worker(RemoveWorkerRequest { id: id.clone() }).await?;
    assert!(staff.workers.list_workers(ListWorkersRequest {}).await?.into_inner().workers.is_empty());
    assert!(served.app.authenticate(&token).await.is_err(), "its token is void");
    let again = staff.workers.remove_worker(RemoveWorkerRequest { id }).await;
    assert_refused(again, Code::NotFound, "WORKER_NOT_FOUND", "w1");
    Ok(())
}

async fn unknown_workers_are_told(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let workers = &mut served.staff().await?.workers;
    let id = "w9".to_owned();
    for refused in [
        workers.get_worker(GetWorkerRequest { id: id.clone() }).await.map(drop),
        workers.drain_worker(DrainWorkerRequest { id: id.clone() }).await.map(drop),
        workers.undrain_worker(UndrainWorkerRequest { id: id.clone() }).await.map(drop),
        workers.remove_worker(RemoveWorkerRequest { id }).await.map(drop),
    ] {
        assert_refused(refused, Code::NotFound, "WORKER_NOT_FOUND", "w9");
    }
    let nameless = workers.get_worker(GetWorkerRequest::default()).await;
    assert_eq!(field(&assert_refused(nameless, Code::InvalidArgument, "INVALID_ARGUMENT", "missing")), "id");
    Ok(())
}
