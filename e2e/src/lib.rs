//! Real processes, real databases, real providers: a whole installation for one test.
//!
//! The binaries are those of the same build; `cargo build --workspace --bins` makes them.
#![allow(clippy::print_stdout, clippy::expect_used)] // why a test was skipped; a test's frame

mod all_in_one;
mod eye;
mod installation;
mod installed;
mod lab;
mod operated;
mod process;
mod program;
mod provider;
mod service;

use std::{future::Future, time::Duration};

pub use all_in_one::{AllInOne, Events, signal};
use anyhow::Context as _;
pub use eye::{Told, version};
pub use installation::{GROUP, Installation, Plan};
pub use installed::{Installed, Private, installed};
pub use lab::{Lab, LabOptions, crash_points};
pub use operated::Operated;
pub use process::{Supervised, binary, free_ports, run};
pub use program::Program;
pub use provider::{Kind as ProviderKind, Provider};
pub use service::Service;
pub use sprout_test_support::database::Kind as DatabaseKind;

/// Anything a healthy installation does takes less.
pub const LONG: Duration = Duration::from_secs(240);

/// Runs one scenario on a database and a provider, if both are there.
///
/// # Panics
/// If the scenario fails.
pub fn scenario<F>(database: DatabaseKind, provider: ProviderKind, test: impl FnOnce(Lab) -> F, options: LabOptions)
where
    F: Future<Output = anyhow::Result<Lab>>,
{
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a run time");
    let outcome = runtime.block_on(async {
        let Some(provider) = Provider::from_environment(provider)? else {
            println!("skipped: the provider's variables are not set; see scripts/service.sh");
            return Ok(());
        };
        let Some(lab) = Lab::start(database, provider, options).await? else {
            println!("skipped: SPROUT_TEST_POSTGRES is not set");
            return Ok(());
        };
        let logs = lab.directory().to_owned();
        let result = tokio::time::timeout(LONG * 2, test(lab)).await.context("the scenario took too long").flatten();
        match result {
            Ok(lab) => lab.stop().await,
            Err(error) => {
                let kept = process::keep_logs(&logs);
                Err(error.context(format!("logs are in {kept}")))
            }
        }
    });
    if let Err(error) = outcome {
        panic!("{error:?}");
    }
}

/// Repeats something until it succeeds, two minutes at most.
pub async fn retry<T>(what: &str, try_it: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut last = None;
    for _ in 0..600 {
        match try_it().await {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("never: {what}: {last:?}")
}

/// Makes `sqlite_container::name`, `postgres_container::name`, `sqlite_libvirt::name` and `postgres_libvirt::name` of each
/// `async fn name(lab: Lab) -> anyhow::Result<Lab>`.
#[macro_export]
macro_rules! on_everything {
    ($options:expr; $($name:ident),+ $(,)?) => {
        $crate::on_everything!(@ sqlite_container, Sqlite, Container, $options; $($name),+);
        $crate::on_everything!(@ postgres_container, Postgres, Container, $options; $($name),+);
        $crate::on_everything!(@ sqlite_libvirt, Sqlite, Libvirt, $options; $($name),+);
        $crate::on_everything!(@ postgres_libvirt, Postgres, Libvirt, $options; $($name),+);
    };
    (@ $module:ident, $database:ident, $provider:ident, $options:expr; $($name:ident),+) => {
        mod $module { $(
            #[test]
            fn $name() {
                $crate::scenario($crate::DatabaseKind::$database, $crate::ProviderKind::$provider, super::$name, $options);
            }
        )+ }
    };
}
