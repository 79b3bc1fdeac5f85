//! The driver conformance suite: one set of tests, run against every driver on a real provider, because what a workflow
//! step may rely on is the trait's contract, not what one provider happens to do.
//!
//! A suite runs where its variable says which provider to use, and is otherwise listed as not run (with
//! `SPROUT_TEST_REQUIRE` set, as failed). Tests are named `<suite>::<case>`, so `cargo nextest run -E 'test(/^libvirt::/)'`
//! picks one driver. To add a driver: a file beside this one that makes a [`Target`], and one line in [`SUITES`].
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SPROUT_TEST_DOCKER`, `SPROUT_TEST_PODMAN` | socket of an engine that nothing else uses, `unix:///...` |
//! | `SPROUT_TEST_CONTAINER_IMAGE` | image of the demo appliance there; its tag is the version it answers |
//! | `SPROUT_TEST_LIBVIRT` | URI of a libvirt daemon that nothing else uses |
//! | `SPROUT_TEST_LIBVIRT_POOL`, `SPROUT_TEST_LIBVIRT_NETWORK` | its storage pool (a directory here) and network |
//! | `SPROUT_TEST_EXTERNAL` | endpoint of a provider that speaks `sprout.provider.v1`; `SPROUT_TEST_EXTERNAL_TOKEN`: its token |
//! | `SPROUT_TEST_EXTERNAL_TEMPLATE`, `SPROUT_TEST_EXTERNAL_VERSION` | a template there, and what its instances answer on port 80 at /version |
//! | `SPROUT_TEST_VM_IMAGE` | image of the demo appliance, a file `NAME-VERSION.qcow2` |

#![allow(clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)] // this is a test all over, though the lints cannot tell

mod cases;
mod container;
mod dead_daemon;
mod dead_engine;
mod libvirt;
mod poll;
mod sim;
mod target;

use std::{env, future::Future, panic::AssertUnwindSafe, pin::Pin, process::ExitCode, time::Duration};

use futures::FutureExt;
use libtest_mimic::{Arguments, Failed, Trial};

use target::Target;

/// What a case does.
type Run = for<'a> fn(&'a Target) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One case of a suite, by name.
type Case = (&'static str, Run);

/// Lists async functions over a [`Target`] as cases.
macro_rules! case_list {
    ($($name:ident),+ $(,)?) => {
        vec![$((stringify!($name), (|target| Box::pin($name(target))) as $crate::Run)),+]
    };
}
pub(crate) use case_list;

/// Where a provider is.
enum Place {
    /// The value of a variable; `required`: `make test` must have it.
    Variable { name: &'static str, required: bool },
    /// Each case starts its own.
    Started(&'static str),
}

/// One driver on one provider.
struct Suite {
    name: &'static str,
    /// Where the provider is; given to `target`.
    place: Place,
    target: fn(&str) -> Target,
    /// Cases beyond those every driver must pass.
    own: fn() -> Vec<Case>,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "container_docker",
        place: Place::Variable { name: "SPROUT_TEST_DOCKER", required: true },
        target: container::target,
        own: container::cases,
    },
    Suite {
        name: "container_podman",
        place: Place::Variable { name: "SPROUT_TEST_PODMAN", required: false },
        target: container::target,
        own: container::cases,
    },
    Suite {
        name: "libvirt",
        place: Place::Variable { name: "SPROUT_TEST_LIBVIRT", required: true },
        target: libvirt::target,
        own: || [libvirt::cases(), dead_daemon::cases()].concat(),
    },
    Suite { name: "sim_tcp", place: Place::Started("tcp"), target: sim::target, own: sim::cases },
    Suite { name: "sim_unix", place: Place::Started("unix"), target: sim::target, own: sim::cases },
    Suite {
        name: "external",
        place: Place::Variable { name: "SPROUT_TEST_EXTERNAL", required: false },
        target: sim::any,
        own: Vec::new,
    },
];

/// No case takes longer, also not on emulated machines.
const CASE_LIMIT: Duration = Duration::from_mins(10);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = SUITES.iter().flat_map(|suite| trials(suite, &arguments)).chain(dead_engine::trials()).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(suite: &'static Suite, arguments: &Arguments) -> Vec<Trial> {
    let (place, missing, skip) = match suite.place {
        Place::Started(how) => (Some(how.to_owned()), "", false),
        Place::Variable { name, required } => {
            let place = env::var(name).ok().filter(|value| !value.is_empty());
            let skip = place.is_none() && !(required && env::var_os("SPROUT_TEST_REQUIRE").is_some());
            (place, name, skip)
        }
    };
    if skip && !arguments.list {
        eprintln!("{}: not run, because {missing} is not set", suite.name);
    }
    let trial = |(name, case): Case| {
        let place = place.clone();
        let run = move || match place {
            Some(place) => run(suite, &place, name, case),
            None => Err(Failed::from(format!("{missing} is not set; let `make test` start the provider"))),
        };
        Trial::test(format!("{}::{name}", suite.name), run).with_ignored_flag(skip)
    };
    cases::all().into_iter().chain((suite.own)()).map(trial).collect()
}

/// Runs a case, and deletes whatever it left, also when it failed.
fn run(suite: &Suite, place: &str, name: &str, case: Run) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let target = (suite.target)(place).for_case(name);
        // Some drivers know what they can do once they have talked to the provider.
        target.driver().check().await?;
        let ended = tokio::time::timeout(CASE_LIMIT, AssertUnwindSafe(case(&target)).catch_unwind()).await;
        let left = target.clean_up().await;
        match ended {
            Ok(Ok(())) => left.map_err(Failed::from),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(format!("did not end within {} s", CASE_LIMIT.as_secs()).into()),
        }
    })
}
