//! A storm: processes die, freeze and leave, connections break, providers go away.

use std::{sync::Arc, time::Duration};

use sprout_worker::Leave;
use tokio::time::{Instant, sleep};

use crate::{
    server::Ground,
    worker::{Providers, Workers},
};

/// Lets things go wrong for this long.
pub(crate) async fn blow(ground: &Arc<Ground>, workers: &Workers, providers: &Providers, time: Duration) {
    let world = &ground.world;
    let end = Instant::now() + time;
    world.storm(true);
    while Instant::now() < end {
        sleep(world.some_time(100..3_000)).await;
        match world.number(0..10) {
            0..=2 => ground.network.disturb(world),
            3 => {
                if let Some((life, _)) = workers.some(ground) {
                    world.note(life.name(), "is killed");
                    life.end();
                }
            }
            4 => {
                if let Some((life, _)) = workers.some(ground) {
                    let time = world.some_time(500..18_000);
                    world.note(life.name(), format_args!("is frozen for {time:?}"));
                    life.freeze(time);
                }
            }
            5 => {
                if let Some((life, farewell)) = workers.some(ground) {
                    let level = world.choose(&[Leave::Finish, Leave::HandBack, Leave::Soon]).unwrap_or(Leave::Finish);
                    world.note(life.name(), format_args!("is told to leave: {level:?}"));
                    farewell.level.send_modify(|present| *present = (*present).max(level));
                    farewell.told.cancel();
                }
            }
            6 => {
                if let Some((life, _)) = ground.some_server() {
                    world.note(life.name(), "is killed");
                    life.end();
                }
            }
            7 => {
                if let Some((life, _)) = ground.some_server() {
                    let time = world.some_time(200..8_000);
                    world.note(life.name(), format_args!("is frozen for {time:?}"));
                    life.freeze(time);
                }
            }
            8 => {
                let providers: Vec<_> = providers.values().cloned().collect();
                if let Some(provider) = world.choose(&providers) {
                    provider.goes_away(world.some_time(500..8_000));
                }
            }
            _ => {}
        }
    }
    world.storm(false);
}
