//! Simulated people: they request pools, again where no answer came, and extend, kill or forget them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sprout_app::{App, Extension};
use sprout_domain::{
    PoolId, Reason, Result,
    pool::{PoolRequest, PoolState},
    user::User,
};
use tokio::{
    select,
    time::{sleep, timeout},
};

use crate::server::Ground;

/// An answer is waited for this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// One in so many answers is lost in a storm.
const LOST: u32 = 15;

/// What people were told: request id to pool.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeMap<String, PoolId>>);

impl Told {
    /// Pools by request id.
    pub(crate) fn all(&self) -> BTreeMap<String, PoolId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Calls some server until one answers.
pub(crate) async fn call<T, F>(ground: &Ground, what: impl Fn(Arc<App>) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let world = &ground.world;
    loop {
        sleep(world.some_time(0..10)).await;
        let Some((life, app)) = ground.some_server() else {
            sleep(Duration::from_millis(200)).await;
            continue;
        };
        // Whoever gives up in the middle drops the call, as a server does then.
        let patience = if world.mishap(LOST) { world.some_time(0..8) } else { PATIENCE };
        let answer = select! {
            biased;
            () = life.over() => None,
            answer = timeout(patience, what(app)) => answer.ok(),
        };
        match answer {
            Some(Err(error)) if error.reason == Reason::DatabaseUnavailable => {}
            Some(answer) if !world.mishap(LOST) => return answer,
            _ => {}
        }
        world.note("client", "got no answer");
        sleep(world.some_time(10..500)).await;
    }
}

/// One person's day.
pub(crate) async fn day(ground: Arc<Ground>, told: Arc<Told>, user: User, number: u32, requests: u32) {
    let (world, user) = (ground.world.clone(), &user);
    for nth in 0..requests {
        sleep(world.some_time(0..4_000)).await;
        let group = world.choose(&["cold", "warm"]).unwrap_or("cold");
        let count = if world.once_in(20) { 0 } else { world.number(1..4) };
        let lease = if world.once_in(2) { Duration::from_secs(3600) } else { world.some_time(3_000..30_000) };
        let request = PoolRequest { lease: Some(lease), ..PoolRequest::new(format!("{number}-{nth}"), group, count) };
        let Some(pool) = ask(&ground, &told, user, &request).await else { continue };
        sleep(world.some_time(0..8_000)).await;
        match world.number(0..4) {
            0 => {
                let killed = call(&ground, |app| async move { app.kill_pool(user, pool).await }).await;
                world.note("client", format_args!("killed pool {pool}: {:?}", killed.map(|view| view.pool.state)));
            }
            1 => {
                let longer = Duration::from_secs(60);
                let extended =
                    call(&ground, |app| async move { app.extend_pool(user, pool, Extension::Time(longer)).await })
                        .await;
                let says = extended.map(|view| view.pool.state).map_err(|error| error.reason);
                world.note("client", format_args!("extended pool {pool}: {says:?}"));
            }
            2 => {
                let view = call(&ground, |app| async move { app.pool(user, pool).await }).await;
                let Some(one) = view.ok().and_then(|view| view.appliances.first().map(|one| one.id)) else { continue };
                let killed = call(&ground, |app| async move { app.kill_appliance(user, one).await }).await;
                world.note("client", format_args!("killed appliance {one}: {:?}", killed.map(|(one, _)| one.state)));
            }
            _ => {}
        }
    }
}

/// Requests a pool until the answer is yes or a final no.
async fn ask(ground: &Ground, told: &Told, user: &User, request: &PoolRequest) -> Option<PoolId> {
    let world = &ground.world;
    for _ in 0..20 {
        let answer = call(ground, |app| async move { app.request_pool(user, request.clone()).await }).await;
        match answer {
            Ok(answer) => {
                let id = answer.view.pool.id;
                world
                    .note("client", format_args!("{} is pool {id}, repeated: {}", request.request_id, answer.repeated));
                told.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request.request_id.clone(), id);
                return Some(id);
            }
            Err(error) => {
                world.note("client", format_args!("{} was refused: {:?}", request.request_id, error.reason));
                if error.reason == Reason::Internal {
                    world.violation(format!("a request got an internal error: {error:?}"));
                }
                sleep(world.some_time(500..5_000)).await;
            }
        }
    }
    None
}

/// The shortest day: one pool of one, watched until it is ready or has failed, then killed. Returns the state it came to.
pub(crate) async fn simple_day(ground: &Ground, told: &Told, user: &User, limit: Duration) -> Option<String> {
    let lease = Some(Duration::from_secs(7200));
    let request = PoolRequest { lease, ..PoolRequest::new("simple", "cold", 1) };
    let pool = ask(ground, told, user, &request).await?;
    let settled = async {
        loop {
            let view = call(ground, |app| async move { app.pool(user, pool).await }).await.ok()?;
            if matches!(view.pool.state, PoolState::Ready | PoolState::Failed | PoolState::Ended) {
                return Some(view.pool.state.as_str().to_owned());
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let state = timeout(limit, settled).await.ok().flatten();
    let killed = call(ground, |app| async move { app.kill_pool(user, pool).await }).await;
    ground.world.note("client", format_args!("killed pool {pool}: {:?}", killed.map(|view| view.pool.state)));
    state
}
