//! Tasks as staff see and steer them.

use std::collections::BTreeSet;

use sprout_app::ports::{Claim, LogOf, LogStore as _, Store as _, TaskChange};
use sprout_domain::{ApplianceId, TaskId, dispatch::Server, workflow::TaskState as State};
use sprout_proto::{
    task::{
        CancelTaskRequest, GetTaskRequest, Lane, ListTasksRequest, RetryTaskRequest, Task, TaskState,
        WatchTaskLogsRequest,
    },
    worker::GetWorkerRequest,
    workflow::{CancelWorkflowRequest, PingRequest},
};
use sprout_test_support::{database::TestDatabase, on_each_database};
use tonic::Code;

use crate::{
    support::{Served, Staff, assert_refused, field, soon},
    worker::{connect, slots},
};

on_each_database!(
    what_has_not_ended_is_listed_and_the_rest_on_request,
    tasks_are_paged_newest_first,
    only_what_runs_is_stopped_and_only_what_waits_is_hurried,
    the_log_of_a_task_is_its_own_and_ends_with_it,
    mistakes_are_told,
);

async fn list(staff: &mut Staff, request: ListTasksRequest) -> anyhow::Result<Vec<Task>> {
    Ok(staff.tasks.list_tasks(request).await?.into_inner().tasks)
}

/// The task that is the deployment's first step, and where it is in the list.
async fn clone_step(staff: &mut Staff) -> anyhow::Result<Task> {
    let ready = ListTasksRequest { states: vec![TaskState::Ready.into()], ..ListTasksRequest::default() };
    let found = list(staff, ready).await?.into_iter().find(|task| task.step == "clone");
    found.ok_or_else(|| anyhow::anyhow!("nothing is to be cloned"))
}

/// Gives everything that can be given out to worker w1.
async fn give_out(served: &Served) -> anyhow::Result<()> {
    connect(served, "w1").await?;
    let able =
        Server { id: "w1".into(), providers: BTreeSet::from(["lab".into(), "broken".into()]), room: slots(8, 0) };
    let mut tx = served.database.store().write().await?;
    tx.claim_tasks(&Claim { servers: vec![able], limit: 8 }).await?;
    tx.commit().await?;
    Ok(())
}

async fn change(served: &Served, id: u64, state: State, error: &str) -> anyhow::Result<()> {
    let due_in = std::time::Duration::from_secs(600);
    let change = TaskChange { state, due_in, error: error.to_owned(), uncount_attempt: false };
    let mut tx = served.database.store().write().await?;
    tx.change_tasks(&[TaskId(id.try_into()?)], &change).await?;
    tx.commit().await?;
    Ok(())
}

async fn what_has_not_ended_is_listed_and_the_rest_on_request(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    let appliance = served.pool("ann").await?.appliances[0].id;
    let ping = PingRequest { provider: "lab".to_owned(), count: 0 };
    staff.workflows.ping(ping).await?;
    let all = list(&mut staff, ListTasksRequest::default()).await?;
    let steps: Vec<_> = all.iter().rev().map(|task| task.step.as_str()).collect();
    assert_eq!(steps, ["clone", "wait_present", "tag", "start", "wait_address", "wait_ready", "ping"]);
    let clone = clone_step(&mut staff).await?;
    assert_eq!(
        (clone.workflow.as_str(), clone.lane(), clone.appliance_id),
        ("deploy", Lane::Provision, Some(appliance))
    );
    assert!(clone.created_at.is_some() && clone.due_at.is_some() && clone.started_at.is_none());

    give_out(&served).await?;
    let of_worker = || ListTasksRequest { worker_id: "w1".to_owned(), ..ListTasksRequest::default() };
    let running = list(&mut staff, of_worker()).await?;
    assert_eq!(running.iter().map(|task| task.step.as_str()).collect::<Vec<_>>(), ["ping", "clone"]);
    assert!(running.iter().all(|task| task.state() == TaskState::Running && task.attempt == 1 && task.epoch == 1));
    let seen = staff.workers.get_worker(GetWorkerRequest { id: "w1".to_owned() }).await?.into_inner();
    assert_eq!((seen.worker.unwrap_or_default().running, &seen.tasks), (2, &running));

    change(&served, clone.id, State::Failed, "no room").await?;
    let (mut states, mut ids) = (Vec::new(), BTreeSet::new());
    for task in list(&mut staff, ListTasksRequest::default()).await? {
        states.push(task.state());
        ids.insert(task.id);
    }
    assert!(!ids.contains(&clone.id) && states.len() == 6, "{states:?}");
    let in_state = |states: &[TaskState]| ListTasksRequest {
        states: states.iter().map(|state| (*state).into()).collect(),
        ..ListTasksRequest::default()
    };
    let failed = list(&mut staff, in_state(&[TaskState::Failed])).await?;
    assert_eq!(failed.iter().map(|task| task.id).collect::<Vec<_>>(), [clone.id]);
    assert_eq!((failed[0].error.as_str(), failed[0].worker_id.as_str()), ("no room", "w1"));
    assert!(failed[0].finished_at.is_some() && failed[0].started_at.is_some());
    let mixed = list(&mut staff, in_state(&[TaskState::Failed, TaskState::Running, TaskState::Done])).await?;
    assert_eq!(mixed.iter().map(|task| task.step.as_str()).collect::<Vec<_>>(), ["ping", "clone"]);
    let whole = ListTasksRequest { workflow_id: Some(clone.workflow_id), ..ListTasksRequest::default() };
    assert_eq!(list(&mut staff, whole.clone()).await?.len(), 6, "also what has ended");
    let blocked = ListTasksRequest { states: vec![TaskState::Blocked.into()], ..whole };
    assert_eq!(list(&mut staff, blocked).await?.len(), 5);
    let elsewhere = ListTasksRequest { provider: "broken".to_owned(), ..ListTasksRequest::default() };
    assert!(list(&mut staff, elsewhere).await?.is_empty());
    let one = staff.tasks.get_task(GetTaskRequest { id: clone.id }).await?.into_inner();
    assert_eq!(one.task.as_ref(), Some(&failed[0]));
    Ok(())
}

async fn tasks_are_paged_newest_first(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    served.pool("ann").await?;
    staff.workflows.ping(PingRequest { provider: "lab".to_owned(), count: 3 }).await?;
    give_out(&served).await?;
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTasksRequest { page_size: 4, page_token, ..ListTasksRequest::default() };
        let page = staff.tasks.list_tasks(request).await?.into_inner();
        assert!(page.tasks.len() <= 4);
        seen.extend(page.tasks.iter().map(|task| task.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    // What runs and what waits comes from different places, in one order.
    assert_eq!(seen.len(), 9);
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    Ok(())
}

async fn only_what_runs_is_stopped_and_only_what_waits_is_hurried(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    served.pool("ann").await?;
    let id = clone_step(&mut staff).await?.id;
    let refused = staff.tasks.cancel_task(CancelTaskRequest { id }).await;
    assert_refused(refused, Code::FailedPrecondition, "TASK_NOT_RUNNING", "cancel workflow");
    let refused = staff.tasks.retry_task(RetryTaskRequest { id }).await;
    assert_refused(refused, Code::FailedPrecondition, "TASK_NOT_RETRYING", "sproutctl task get");
    give_out(&served).await?;
    let stopped = staff.tasks.cancel_task(CancelTaskRequest { id }).await?.into_inner().task.unwrap_or_default();
    assert!(stopped.cancel_requested && stopped.state() == TaskState::Running, "{stopped:?}");
    change(&served, id, State::Retrying, "stopped by request").await?;
    let waiting = staff.tasks.get_task(GetTaskRequest { id }).await?.into_inner().task.unwrap_or_default();
    let hurried = staff.tasks.retry_task(RetryTaskRequest { id }).await?.into_inner().task.unwrap_or_default();
    let due = |task: &Task| task.due_at.map(|at| at.seconds);
    assert!(due(&hurried) < due(&waiting), "{hurried:?}");
    Ok(())
}

async fn the_log_of_a_task_is_its_own_and_ends_with_it(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    let appliance = served.pool("ann").await?.appliances[0].id;
    let task = clone_step(&mut staff).await?;
    let log = LogOf::Appliance(ApplianceId(appliance.try_into()?));
    let line = |id: u64, text: &str| {
        let id = TaskId(id.try_into().unwrap_or_default());
        let step = sprout_domain::workflow::StepKind::Clone;
        sprout_app::log::step_line(sprout_domain::Timestamp::UNIX_EPOCH, "INFO", step, id, &"w1".into(), text)
    };
    // More of others than is looked at together.
    served.logs.append(&log, vec![line(task.id + 1, "of another"); 5000]).await;
    served.logs.append(&log, vec![line(task.id, "first"), line(task.id + 1, "of another")]).await;
    let request = |follow| WatchTaskLogsRequest { id: task.id, follow };
    let mut whole = staff.tasks.watch_task_logs(request(false)).await?.into_inner();
    let first = soon(whole.message()).await??.unwrap_or_default().lines;
    assert_eq!(first, [line(task.id, "first")]);
    assert!(soon(whole.message()).await??.is_none());
    let mut followed = staff.tasks.watch_task_logs(request(true)).await?.into_inner();
    assert_eq!(soon(followed.message()).await??.unwrap_or_default().lines, first);
    served.logs.append(&log, vec![line(task.id + 1, "of another"), line(task.id, "second")]).await;
    assert_eq!(soon(followed.message()).await??.unwrap_or_default().lines, [line(task.id, "second")]);
    staff.workflows.cancel_workflow(CancelWorkflowRequest { id: task.workflow_id }).await?;
    served.logs.append(&log, vec![line(task.id, "last")]).await;
    assert_eq!(soon(followed.message()).await??.unwrap_or_default().lines, [line(task.id, "last")]);
    assert!(soon(followed.message()).await??.is_none(), "it ends with the task");
    Ok(())
}

async fn mistakes_are_told(database: TestDatabase) -> anyhow::Result<()> {
    let served = Served::new(database).await?;
    let mut staff = served.staff().await?;
    let id = 999_999;
    for refused in [
        staff.tasks.get_task(GetTaskRequest { id }).await.map(drop),
        staff.tasks.cancel_task(CancelTaskRequest { id }).await.map(drop),
        staff.tasks.retry_task(RetryTaskRequest { id }).await.map(drop),
        staff.tasks.watch_task_logs(WatchTaskLogsRequest { id, follow: true }).await.map(drop),
    ] {
        assert_refused(refused, Code::NotFound, "TASK_NOT_FOUND", "pruned");
    }
    for (wrong, blamed) in [
        (ListTasksRequest { states: vec![0], ..ListTasksRequest::default() }, "states"),
        (ListTasksRequest { workflow_id: Some(0), ..ListTasksRequest::default() }, "workflow_id"),
        (ListTasksRequest { page_size: 1001, ..ListTasksRequest::default() }, "page_size"),
    ] {
        let refused = staff.tasks.list_tasks(wrong).await;
        assert_eq!(field(&assert_refused(refused, Code::InvalidArgument, "INVALID_ARGUMENT", "")), blamed);
    }
    let elsewhere = ListTasksRequest { provider: "nope".to_owned(), ..ListTasksRequest::default() };
    assert_refused(staff.tasks.list_tasks(elsewhere).await, Code::NotFound, "PROVIDER_NOT_FOUND", "known: ");
    Ok(())
}
