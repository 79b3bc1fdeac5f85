//! The `libvirt` driver while its daemon goes away, hangs, and comes back: every call ends in time and says so, and the
//! next one after that goes well, without anything started anew here.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use futures::future::join_all;
use sprout_worker::{
    driver::{Driver, Reason},
    drivers::libvirt::LibvirtDriver,
};
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    sync::watch,
};

use crate::{
    Case, libvirt, poll,
    target::{Target, assert_reason},
};

pub(crate) fn cases() -> Vec<Case> {
    crate::case_list![daemon_goes_and_comes, daemon_hangs]
}

/// Stands between the driver and the daemon.
struct Proxy {
    listen: PathBuf,
    daemon: PathBuf,
    /// What is in between lets bytes through.
    flows: watch::Sender<bool>,
    serving: Option<tokio::task::JoinSet<()>>,
}

impl Proxy {
    fn new(directory: &Path, target: &Target) -> (Self, LibvirtDriver) {
        let (base, daemon) = target.place.split_once("socket=").expect("a URI that names a socket");
        let listen = directory.join("socket");
        let driver = LibvirtDriver::new(&libvirt::settings(&format!("{base}socket={}", listen.display())));
        let mut proxy = Self { listen, daemon: daemon.into(), flows: watch::channel(true).0, serving: None };
        proxy.come();
        (proxy, driver.expect("settings"))
    }

    fn come(&mut self) {
        let listener = UnixListener::bind(&self.listen).expect("bind");
        let (daemon, flows) = (self.daemon.clone(), self.flows.subscribe());
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(async move {
            let mut streams = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                streams.spawn(pass(client, daemon.clone(), flows.clone()));
            }
        });
        self.serving = Some(serving);
    }

    /// Ends every connection, as a daemon does that dies.
    async fn go(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.shutdown().await;
        }
        std::fs::remove_file(&self.listen).expect("remove the socket");
    }
}

/// Passes bytes while they may flow, and holds the connection open while they may not.
async fn pass(mut client: UnixStream, daemon: PathBuf, mut flows: watch::Receiver<bool>) {
    let mut daemon = UnixStream::connect(daemon).await.expect("the daemon");
    loop {
        let open = flows.wait_for(|flows| *flows).await.is_ok();
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut daemon), if open => return,
            _ = flows.wait_for(|flows| !*flows) => {}
        }
    }
}

async fn daemon_goes_and_comes(target: &Target) {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut proxy, driver) = Proxy::new(directory.path(), target);
    for _ in 0..3 {
        driver.check().await.expect("check");
        proxy.go().await;
        let error = assert_reason(driver.find("x").await, Reason::Unreachable);
        assert!(error.message.contains("libvirt at qemu+unix"), "{error}");
        proxy.come();
        poll::until(Duration::from_secs(5), "the driver has connected again", async || driver.check().await.ok()).await;
    }
}

/// Nobody waits for longer than the deadline, and those after have room again.
async fn daemon_hangs(target: &Target) {
    let directory = tempfile::tempdir().expect("a directory");
    let (proxy, driver) = Proxy::new(directory.path(), target);
    driver.check().await.expect("check");
    proxy.flows.send_replace(false);
    let begun = Instant::now();
    for answer in join_all((0..24).map(|_| driver.find("x"))).await {
        assert_reason(answer, Reason::Unreachable);
    }
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    proxy.flows.send_replace(true);
    poll::until(Duration::from_secs(40), "the driver has connected again", async || driver.check().await.ok()).await;
    join_all((0..24).map(|_| driver.find("x"))).await.into_iter().for_each(|found| assert_eq!(found, Ok(None)));
}
