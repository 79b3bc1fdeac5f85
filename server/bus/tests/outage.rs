//! Redis dies, comes back, and stops without dying: nobody waits for it, and wake-ups pass again by themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test's helpers, and why it was skipped

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sprout_app::ports::{Bus as _, Topic};
use sprout_bus::RedisBus;
use sprout_domain::Secret;
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(20);

/// A Redis of the test's own; killed when dropped.
struct Redis {
    port: u16,
    process: Child,
}

impl Redis {
    fn start(port: u16) -> Option<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
        match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(process) => Some(Self { port, process }),
            Err(error) if std::env::var_os("SPROUT_TEST_REQUIRE").is_none() => {
                println!("skipped: redis-server cannot be started: {error}");
                None
            }
            Err(error) => panic!("redis-server cannot be started: {error}"),
        }
    }

    fn url(&self) -> Secret {
        Secret::new(format!("redis://127.0.0.1:{}/", self.port))
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Publishes until the other one is woken: while connections are being made, wake-ups may get lost.
async fn until_woken(one: &RedisBus, other: &RedisBus) {
    let mut woken = other.subscribe(Topic::Tasks);
    let told = async {
        loop {
            woken.mark_unchanged();
            one.publish(&[Topic::Tasks]);
            if timeout(Duration::from_millis(200), woken.changed()).await.is_ok() {
                // Also when it merely reconnected, which wakes everything. So it must come again, of its own.
                sleep(Duration::from_millis(300)).await;
                woken.mark_unchanged();
                one.publish(&[Topic::Tasks]);
                if timeout(Duration::from_millis(500), woken.changed()).await.is_ok() {
                    return;
                }
            }
        }
    };
    timeout(LONG, told).await.expect("one replica wakes the other");
}

/// Thousands of wake-ups of a replica without Redis: each wakes the replica itself, and none waits.
async fn publishes_without_waiting(bus: &RedisBus) {
    let mut here = bus.subscribe(Topic::Events);
    let started = Instant::now();
    for _ in 0..50_000 {
        bus.publish(&[Topic::Events, Topic::Warm]);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "publishing took {:?}", started.elapsed());
    timeout(Duration::from_millis(100), here.changed()).await.expect("it wakes itself at once").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_dies_is_missed_by_nobody_and_found_again() {
    let Some(mut redis) = Redis::start(free_port()) else { return };
    let (one, other) = (RedisBus::connect(&redis.url(), "x").unwrap(), RedisBus::connect(&redis.url(), "x").unwrap());
    until_woken(&one, &other).await;
    redis.kill();
    for _ in 0..5 {
        publishes_without_waiting(&one).await;
        sleep(Duration::from_millis(300)).await;
    }
    let redis = Redis::start(redis.port).unwrap();
    let back = Instant::now();
    until_woken(&one, &other).await;
    until_woken(&other, &one).await;
    println!("wake-ups passed {:?} after Redis was back on port {}", back.elapsed(), redis.port);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stops_without_dying_holds_nobody_up() {
    let Some(redis) = Redis::start(free_port()) else { return };
    let (one, other) = (RedisBus::connect(&redis.url(), "x").unwrap(), RedisBus::connect(&redis.url(), "x").unwrap());
    until_woken(&one, &other).await;
    redis.signal("STOP");
    for _ in 0..10 {
        publishes_without_waiting(&one).await;
        sleep(Duration::from_millis(500)).await;
    }
    redis.signal("CONT");
    let back = Instant::now();
    until_woken(&one, &other).await;
    until_woken(&other, &one).await;
    println!("wake-ups passed {:?} after Redis went on", back.elapsed());
}
