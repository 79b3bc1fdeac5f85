//! Every step against a provider in memory: it works, it works a second time without doing anything twice, and it fails as it
//! should when the provider does, lies, or says nothing.

use std::sync::Arc;

use sprout_proto::{
    appliance::Endpoint,
    group::{EndpointSpec, HttpProbe, Probe, TcpProbe, probe::Check},
    task::{
        ApplianceRef, CheckProviderStep, CloneStep, DeleteMachinesStep, DeleteStep, DeleteTemplateStep, LeftoverRef,
        ListMachinesStep, Marks, StartStep, StopStep, TagStep, Tags, WaitAddressStep, WaitGoneStep, WaitPresentStep,
        WaitReadyStep,
    },
    worker::TaskRef,
};
use tokio::time::{Duration, Instant, timeout};

use super::*;
use crate::{
    driver::{Driver as _, Instance, PowerState},
    lease::Hold,
    outbox::Outbox,
    testing::{FakeDriver, Fault, instance},
};

pub(super) const NAME: &str = "sprout-7";

pub(super) struct Bench {
    pub(super) driver: Arc<FakeDriver>,
    ctx: StepContext,
}

impl Bench {
    /// The surroundings of a step.
    pub(super) fn ctx(&self) -> &StepContext {
        &self.ctx
    }
}

pub(super) fn bench() -> Bench {
    let driver = Arc::new(FakeDriver::default());
    let ctx = StepContext::new(
        driver.clone(),
        Arc::new(Outbox::default()),
        TaskRef { task_id: 1, epoch: 1 },
        Hold::default(),
    );
    Bench { driver, ctx }
}

pub(super) fn tags(appliance_id: u64, epoch: u64) -> Tags {
    Tags { installation_id: "here".into(), appliance_id, epoch }
}

pub(super) fn ours(power: PowerState) -> Instance {
    Instance { tags: Some(tags(7, 1)), power, ..instance(NAME) }
}

pub(super) fn others() -> Instance {
    Instance { tags: Some(tags(8, 1)), ..instance(NAME) }
}

pub(super) fn appliance() -> ApplianceRef {
    ApplianceRef { name: NAME.into(), tags: Some(tags(7, 1)), ..ApplianceRef::default() }
}

fn clone_step() -> Step {
    Step::Clone(CloneStep { appliance: Some(appliance()), template: "t".into(), ..Default::default() })
}

fn tag_step() -> Step {
    Step::Tag(TagStep { appliance: Some(appliance()) })
}

pub(super) fn start_step() -> Step {
    Step::Start(StartStep { appliance: Some(appliance()) })
}

pub(super) fn stop_step() -> Step {
    Step::Stop(StopStep { appliance: Some(appliance()), prove: false })
}

pub(super) fn delete_step() -> Step {
    Step::Delete(DeleteStep { appliance: Some(appliance()) })
}

pub(super) fn gone_step(clone_unconfirmed: bool) -> Step {
    Step::WaitGone(WaitGoneStep { appliance: Some(appliance()), clone_unconfirmed })
}

fn ready_step(endpoints: Vec<Endpoint>, probes: Vec<Probe>) -> Step {
    Step::WaitReady(WaitReadyStep { appliance: Some(appliance()), endpoints, probes })
}

fn present_step() -> Step {
    Step::WaitPresent(WaitPresentStep { appliance: Some(appliance()) })
}

fn address_step() -> Step {
    let endpoint = |name: &str, port, scheme: &str| EndpointSpec { name: name.into(), port, scheme: scheme.into() };
    let endpoints = vec![endpoint("web", 80, "http"), endpoint("ssh", 22, "")];
    Step::WaitAddress(WaitAddressStep { appliance: Some(appliance()), endpoints })
}

impl Bench {
    pub(super) async fn run(&self, step: &Step) -> Result<StepOutput> {
        run(&self.ctx, step).await
    }

    pub(super) async fn seen(&self, step: &Step) -> ObservedOutput {
        match self.run(step).await.unwrap().output {
            Some(Output::Observed(observed)) => observed,
            other => panic!("not an observation: {other:?}"),
        }
    }

    pub(super) async fn reason(&self, step: &Step) -> Reason {
        self.run(step).await.unwrap_err().reason
    }
}

#[tokio::test]
async fn a_clone_is_made_once() {
    let bench = bench();
    for _ in 0..2 {
        bench.run(&clone_step()).await.unwrap();
    }
    assert_eq!(bench.driver.count("create"), 1);
    assert_eq!(bench.driver.get(NAME).unwrap().tags, Some(tags(7, 1)));
}

#[tokio::test]
async fn a_clone_of_an_older_epoch_is_ours() {
    let bench = bench();
    bench.driver.put(Instance { tags: Some(tags(7, 0)), ..ours(PowerState::Off) });
    bench.run(&clone_step()).await.unwrap();
    assert_eq!(bench.driver.count("create"), 0);
}

#[tokio::test]
async fn a_clone_whose_answer_got_lost_is_found() {
    for reason in [Reason::Unreachable, Reason::ProviderError, Reason::NameTaken] {
        let bench = bench();
        bench.driver.script("create", [Fault::ActsAndFails(reason)]);
        bench.run(&clone_step()).await.unwrap();
        assert_eq!(bench.driver.count("create"), 1, "{reason:?}");
    }
}

#[tokio::test]
async fn a_clone_of_unknown_outcome_is_said_to_be_so() {
    let bench = bench();
    bench.driver.script("create", [Fault::Fails(Reason::Unreachable)]);
    assert_eq!(bench.reason(&clone_step()).await, Reason::Unreachable, "looked and saw nothing: still unknown");
    bench.driver.script("create", [Fault::ActsAndFails(Reason::Unreachable)]);
    // The first look, before the clone, is answered.
    bench.driver.script("find", [Fault::Lies, Fault::Fails(Reason::Unreachable)]);
    assert_eq!(bench.reason(&clone_step()).await, Reason::Unreachable);
    bench.run(&clone_step()).await.unwrap();
    assert_eq!(bench.driver.count("create"), 2, "the third try found what the second made");
}

#[tokio::test]
async fn a_refused_clone_is_not_looked_for() {
    let bench = bench();
    bench.driver.script("create", [Fault::Fails(Reason::NoCapacity)]);
    assert_eq!(bench.reason(&clone_step()).await, Reason::NoCapacity);
    assert_eq!(bench.driver.count("find"), 1);
}

#[tokio::test]
async fn what_belongs_to_another_is_not_touched() {
    for other in [others(), instance(NAME)] {
        let bench = bench();
        bench.driver.put(other.clone());
        for step in [clone_step(), present_step(), tag_step(), start_step(), address_step()] {
            assert_eq!(bench.reason(&step).await, Reason::NameTaken, "{}", name(&step));
        }
        // Names are unique there, so ours is absent.
        for step in [stop_step(), delete_step(), gone_step(false)] {
            bench.run(&step).await.unwrap();
        }
        assert_eq!(bench.driver.get(NAME), Some(other));
        for call in ["create", "tag", "start", "stop", "delete"] {
            assert_eq!(bench.driver.count(call), 0, "{call}");
        }
    }
}

#[tokio::test]
async fn a_name_taken_between_look_and_clone_is_judged() {
    let bench = bench();
    bench.driver.put(others());
    bench.driver.script("find", [Fault::Lies]);
    assert_eq!(bench.reason(&clone_step()).await, Reason::NameTaken);
    assert_eq!(bench.driver.get(NAME), Some(others()));
}

#[tokio::test(start_paused = true)]
async fn a_clone_that_took_the_name_and_is_shown_late_is_found() {
    let bench = bench();
    bench.driver.put(ours(PowerState::Off));
    bench.driver.script("find", vec![Fault::Lies; 12]);
    bench.run(&clone_step()).await.unwrap();
    assert_eq!((bench.driver.count("create"), bench.driver.count("find")), (1, 13));
    bench.driver.script("find", vec![Fault::Lies; 1_000]);
    let start = Instant::now();
    assert_eq!(bench.reason(&clone_step()).await, Reason::NameTaken, "what is never shown is not waited for");
    assert!((30..35).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn presence_is_waited_for() {
    let bench = bench();
    let step = present_step();
    let (seen, ()) = tokio::join!(bench.seen(&step), async {
        bench.driver.called("find", 3).await;
        bench.driver.put(ours(PowerState::Off));
    });
    assert_eq!((seen.provider_ref.as_str(), seen.power_state()), ("ref-sprout-7", PowerState::Off));
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_forgiven_for_a_while() {
    let bench = bench();
    bench.driver.put(ours(PowerState::Off));
    bench.driver.script("find", vec![Fault::Fails(Reason::Unreachable); 10]);
    bench.seen(&present_step()).await;
    bench.driver.script("find", vec![Fault::Fails(Reason::Unreachable); 1_000]);
    let start = Instant::now();
    assert_eq!(bench.reason(&present_step()).await, Reason::Unreachable);
    assert!((30..35).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_refusing_provider_is_believed_at_once() {
    let bench = bench();
    bench.driver.script("find", [Fault::Fails(Reason::AccessDenied)]);
    assert_eq!(bench.reason(&present_step()).await, Reason::AccessDenied);
}

#[tokio::test]
async fn tags_are_written_once_and_proven() {
    let bench = bench();
    bench.driver.put(Instance { tags: Some(tags(7, 0)), ..ours(PowerState::Off) });
    for _ in 0..2 {
        bench.seen(&tag_step()).await;
    }
    assert_eq!((bench.driver.count("tag"), bench.driver.get(NAME).unwrap().tags), (1, Some(tags(7, 1))));
}

#[tokio::test]
async fn a_lie_about_tags_is_seen() {
    let bench = bench();
    bench.driver.put(Instance { tags: Some(tags(7, 0)), ..ours(PowerState::Off) });
    bench.driver.script("tag", [Fault::Lies]);
    assert_eq!(bench.reason(&tag_step()).await, Reason::ProviderError);
}

#[tokio::test]
async fn tags_that_cannot_change_are_proven_only() {
    let bench = bench();
    bench.driver.without_retag();
    assert_eq!(bench.reason(&tag_step()).await, Reason::ApplianceNotFound);
    bench.driver.put(Instance { tags: Some(tags(7, 0)), ..ours(PowerState::Off) });
    bench.seen(&tag_step()).await;
    assert_eq!(bench.driver.count("tag"), 0);
}

#[tokio::test]
async fn starting_happens_once() {
    let bench = bench();
    assert_eq!(bench.reason(&start_step()).await, Reason::ApplianceNotFound);
    bench.driver.put(ours(PowerState::Off));
    for _ in 0..2 {
        assert_eq!(bench.seen(&start_step()).await.power_state(), PowerState::On);
    }
    assert_eq!(bench.driver.count("start"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_does_not_last_is_seen() {
    let bench = bench();
    bench.driver.put(ours(PowerState::Off));
    bench.driver.script("start", [Fault::Lies]);
    assert_eq!(bench.reason(&start_step()).await, Reason::ApplianceBroken);
    bench.driver.script("start", [Fault::ActsAndFails(Reason::Unreachable)]);
    assert_eq!(bench.reason(&start_step()).await, Reason::Unreachable);
    bench.seen(&start_step()).await;
    assert_eq!(bench.driver.count("start"), 2, "the third try found it on");
}

#[tokio::test(start_paused = true)]
async fn an_address_is_waited_for_until_all_endpoints_are_located() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    let step = address_step();
    let (seen, ()) = tokio::join!(bench.seen(&step), async {
        bench.driver.called("find", 2).await;
        let published = [(80, ("127.0.0.1".to_owned(), 32768))];
        bench.driver.put(Instance { published: published.clone().into(), ..ours(PowerState::On) });
        bench.driver.called("find", 4).await;
        let address = Some("10.0.0.7".to_owned());
        bench.driver.put(Instance { address, published: published.into(), ..ours(PowerState::On) });
    });
    assert_eq!(seen.address.as_deref(), Some("10.0.0.7"));
    let [web, ssh] = &seen.endpoints[..] else { panic!("{:?}", seen.endpoints) };
    assert_eq!((web.host.as_str(), web.port, web.url.as_deref()), ("127.0.0.1", 32768, Some("http://127.0.0.1:32768")));
    assert_eq!((ssh.host.as_str(), ssh.port, ssh.url.as_deref()), ("10.0.0.7", 22, None));
}

#[tokio::test(start_paused = true)]
async fn an_appliance_that_ended_gets_no_address() {
    let bench = bench();
    bench.driver.put(ours(PowerState::Off));
    let start = Instant::now();
    assert_eq!(bench.reason(&address_step()).await, Reason::ApplianceBroken);
    bench.driver.take(NAME);
    assert_eq!(bench.reason(&address_step()).await, Reason::ApplianceNotFound);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_port_out_of_range_is_refused_before_anything_else() {
    let bench = bench();
    let endpoints = vec![EndpointSpec { name: "web".into(), port: 70_000, scheme: String::new() }];
    let step = Step::WaitAddress(WaitAddressStep { appliance: Some(appliance()), endpoints });
    assert_eq!((bench.reason(&step).await, bench.driver.count("find")), (Reason::Invalid, 0));
}

fn endpoint(name: &str, port: u16) -> Endpoint {
    Endpoint { name: name.into(), host: "127.0.0.1".into(), port: port.into(), url: None }
}

fn probe(endpoint: &str, check: Check, deadline: Option<Duration>) -> Probe {
    let deadline = deadline.map(|deadline| deadline.try_into().unwrap());
    Probe { endpoint: endpoint.into(), deadline, timeout: None, check: Some(check) }
}

#[tokio::test]
async fn readiness_needs_all_probes() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let late = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (open_port, late_port) = (open.local_addr().unwrap().port(), late.local_addr().unwrap().port());
    drop(late);
    let tcp = || Check::Tcp(TcpProbe {});
    let endpoints = vec![endpoint("ssh", open_port), endpoint("web", late_port)];
    let step = ready_step(endpoints, vec![probe("ssh", tcp(), None), probe("web", tcp(), None)]);
    let mut waiting = std::pin::pin!(bench.run(&step));
    timeout(Duration::from_millis(100), &mut waiting).await.unwrap_err();
    assert_eq!(bench.ctx.last_status(), "web: connection refused");
    let _late = tokio::net::TcpListener::bind(("127.0.0.1", late_port)).await.unwrap();
    waiting.await.unwrap();
    bench.run(&step).await.unwrap();
    bench.run(&ready_step(vec![], vec![])).await.unwrap();
}

#[tokio::test]
async fn a_probe_has_its_own_deadline() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let web = probe("web", Check::Http(HttpProbe::default()), Some(Duration::from_millis(50)));
    let error = bench.run(&ready_step(vec![endpoint("web", closed)], vec![web])).await.unwrap_err();
    assert_eq!(error.reason, Reason::Deadline);
    assert!(error.message.contains("web") && error.message.contains("connection refused"), "{error}");
}

#[tokio::test]
async fn an_appliance_that_stops_is_not_probed_to_the_end() {
    let bench = bench();
    bench.driver.put(ours(PowerState::Off));
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let web = probe("web", Check::Tcp(TcpProbe {}), Some(Duration::from_secs(600)));
    let step = ready_step(vec![endpoint("web", closed)], vec![web]);
    let reason = timeout(Duration::from_secs(10), bench.reason(&step)).await.unwrap();
    assert_eq!(reason, Reason::ApplianceBroken);
}

#[tokio::test]
async fn probes_that_make_no_sense_are_refused() {
    let bench = bench();
    let unknown = Probe { check: None, ..probe("web", Check::Tcp(TcpProbe {}), None) };
    let nowhere = probe("ssh", Check::Tcp(TcpProbe {}), None);
    for wrong in [unknown, nowhere] {
        assert_eq!(bench.reason(&ready_step(vec![endpoint("web", 80)], vec![wrong])).await, Reason::Invalid);
    }
}

#[tokio::test]
async fn stopping_and_deleting_happen_once() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    for _ in 0..2 {
        bench.run(&stop_step()).await.unwrap();
    }
    assert_eq!((bench.driver.count("stop"), bench.driver.get(NAME).unwrap().power), (1, PowerState::Off));
    for _ in 0..2 {
        bench.run(&delete_step()).await.unwrap();
        bench.run(&gone_step(false)).await.unwrap();
    }
    assert_eq!(bench.driver.get(NAME), None);
    bench.run(&stop_step()).await.unwrap();
    assert_eq!(bench.driver.count("stop"), 1);
}

#[tokio::test]
async fn failed_stops_and_deletes_are_told_and_can_be_repeated() {
    let bench = bench();
    bench.driver.put(ours(PowerState::On));
    bench.driver.script("stop", [Fault::Fails(Reason::Unreachable)]);
    assert_eq!(bench.reason(&stop_step()).await, Reason::Unreachable);
    bench.run(&stop_step()).await.unwrap();
    bench.driver.script("delete", [Fault::ActsAndFails(Reason::Unreachable)]);
    assert_eq!(bench.reason(&delete_step()).await, Reason::Unreachable);
    bench.run(&delete_step()).await.unwrap();
}

#[tokio::test]
async fn what_an_interrupted_clone_left_is_deleted_though_nothing_is_listed() {
    let bench = bench();
    bench.run(&delete_step()).await.unwrap();
    assert_eq!(bench.driver.count("delete"), 1);
}

#[tokio::test(start_paused = true)]
async fn gone_is_proven_not_guessed() {
    let bench = bench();
    bench.driver.put(ours(PowerState::Off));
    bench.driver.script("find", vec![Fault::Fails(Reason::Unreachable); 3]);
    let step = gone_step(false);
    let mut waiting = std::pin::pin!(bench.run(&step));
    timeout(Duration::from_secs(20), &mut waiting).await.unwrap_err();
    bench.driver.take(NAME);
    waiting.await.unwrap();
    assert_eq!(bench.driver.count("delete"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_should_be_gone_and_is_not_is_deleted_again() {
    let bench = bench();
    bench.driver.put(ours(PowerState::Off));
    bench.run(&gone_step(false)).await.unwrap();
    assert_eq!((bench.driver.get(NAME), bench.driver.count("delete")), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_late_clone_is_caught() {
    let bench = bench();
    bench.driver.script("create", [Fault::ActsLate(Reason::Unreachable, 8)]);
    assert_eq!(bench.reason(&clone_step()).await, Reason::Unreachable);
    bench.run(&delete_step()).await.unwrap();
    let start = Instant::now();
    bench.run(&gone_step(true)).await.unwrap();
    assert_eq!(bench.driver.get(NAME), None);
    assert_eq!(bench.driver.count("stop"), 1, "it turned up");
    assert!(start.elapsed() > Duration::from_secs(10), "absence was seen without a break: {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn silence_breaks_absence() {
    let bench = bench();
    let step = gone_step(true);
    let mut waiting = std::pin::pin!(bench.run(&step));
    timeout(Duration::from_secs(9), &mut waiting).await.unwrap_err();
    bench.driver.script("find", [Fault::Fails(Reason::Unreachable)]);
    timeout(Duration::from_secs(9), &mut waiting).await.unwrap_err();
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_provider_is_checked() {
    let bench = bench();
    let step = Step::CheckProvider(CheckProviderStep {});
    let output = bench.run(&step).await.unwrap().output;
    let Some(Output::CheckProvider(found)) = output else { panic!("{output:?}") };
    assert_eq!((found.version.as_str(), found.templates), ("fake 1", vec!["a".to_owned(), "b".to_owned()]));
    bench.driver.script("check", [Fault::Fails(Reason::Unreachable)]);
    assert_eq!(bench.reason(&step).await, Reason::Unreachable);
}

fn marked(name: &str, installation_id: &str, appliance_id: u64) -> crate::driver::Instance {
    let tags = Tags { installation_id: installation_id.to_owned(), appliance_id, epoch: 1 };
    crate::driver::Instance { tags: Some(tags), address: Some("10.0.0.7".to_owned()), ..instance(name) }
}

#[tokio::test]
async fn what_is_there_is_listed_ours_in_full() {
    let bench = bench();
    bench.driver.put(marked("b", "here", 7));
    bench.driver.put(marked("c", "elsewhere", 7));
    bench.driver.put(instance("a"));
    let step = Step::ListMachines(ListMachinesStep { installation_id: "here".to_owned() });
    let Some(Output::ListMachines(listed)) = bench.run(&step).await.unwrap().output else { panic!("another output") };
    let told: Vec<_> = listed
        .machines
        .iter()
        .map(|m| (m.name.as_str(), m.marks(), m.power_state(), m.appliance_id, m.address.as_deref()))
        .collect();
    let on = PowerState::On;
    let (theirs, nobodys) = (("c", Marks::Others, on, 0, None), ("a", Marks::None, on, 0, None));
    assert_eq!(told, [nobodys, ("b", Marks::Ours, on, 7, Some("10.0.0.7")), theirs]);
    bench.driver.script("list", [Fault::Fails(Reason::Unreachable)]);
    assert_eq!(bench.reason(&step).await, Reason::Unreachable, "there is no half of a listing");
    let step = Step::ListMachines(ListMachinesStep::default());
    assert_eq!(bench.reason(&step).await, Reason::Invalid);
}

#[tokio::test(start_paused = true)]
async fn leftovers_go_only_while_they_are_what_they_were() {
    let bench = bench();
    for there in [
        marked("leak", "here", 7),
        marked("another", "here", 8),
        marked("stuck", "here", 9),
        instance("alien"),
        marked("mine", "here", 1),
    ] {
        bench.driver.put(there);
    }
    let of = |name: &str, appliance_id| {
        let tags = Tags { installation_id: "here".to_owned(), appliance_id, epoch: 0 };
        LeftoverRef { name: name.to_owned(), tags: Some(tags) }
    };
    let unmarked = |name: &str| LeftoverRef { name: name.to_owned(), tags: None };
    let outcomes = |output: StepOutput| match output.output {
        Some(Output::DeleteMachines(deleted)) => {
            let mut all: Vec<_> = deleted.machines.into_iter().map(|m| (m.name, m.gone, m.error)).collect();
            all.sort();
            all
        }
        other => panic!("{other:?}"),
    };
    // The first to be deleted is the one that cannot be.
    bench.driver.script("delete", [Fault::Fails(Reason::ProviderError)]);
    let step = Step::DeleteMachines(DeleteMachinesStep {
        machines: vec![
            of("stuck", 9),
            of("leak", 7),
            of("another", 7),
            of("absent", 7),
            unmarked("alien"),
            unmarked("mine"),
        ],
    });
    let done = outcomes(bench.run(&step).await.unwrap());
    let fine = |name: &str| (name.to_owned(), true, String::new());
    let stuck = ("stuck".to_owned(), false, "scripted: delete".to_owned());
    assert_eq!(done, [fine("absent"), fine("alien"), fine("another"), fine("leak"), fine("mine"), stuck]);
    let left = |name: &str| bench.driver.get(name).is_some();
    assert_eq!((left("leak"), left("alien")), (false, false));
    assert!(left("another") && left("mine") && left("stuck"), "what carries other marks is not touched");
    // Repeated, nothing is done twice.
    let deletions = bench.driver.count("delete");
    outcomes(bench.run(&Step::DeleteMachines(DeleteMachinesStep { machines: vec![of("leak", 7)] })).await.unwrap());
    assert_eq!(bench.driver.count("delete"), deletions);
    bench.driver.script("delete", [Fault::Lies]);
    let lied = outcomes(
        bench.run(&Step::DeleteMachines(DeleteMachinesStep { machines: vec![of("stuck", 9)] })).await.unwrap(),
    );
    assert!(!lied[0].1 && lied[0].2.contains("still there"), "{lied:?}");
}

#[tokio::test]
async fn steps_without_an_appliance_are_refused() {
    let bench = bench();
    let unmarked = Some(ApplianceRef { tags: None, ..appliance() });
    for appliance in [None, unmarked] {
        let step = Step::Delete(DeleteStep { appliance });
        assert_eq!((bench.reason(&step).await, bench.driver.count("delete")), (Reason::Invalid, 0));
    }
}

fn template_step(template: &str) -> Step {
    Step::DeleteTemplate(DeleteTemplateStep { template: template.into() })
}

#[tokio::test]
async fn a_template_is_deleted_and_proven_absent_however_often_it_is_asked() {
    let bench = bench();
    for _ in 0..2 {
        bench.run(&template_step("a")).await.unwrap();
    }
    assert_eq!(bench.driver.templates().await.unwrap(), ["b"]);
    assert_eq!(bench.reason(&template_step("")).await, Reason::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_still_listed_or_cannot_be_looked_for_is_not_gone() {
    let bench = bench();
    bench.driver.script("delete_template", [Fault::Lies]);
    timeout(Duration::from_secs(60), bench.run(&template_step("a"))).await.expect_err("it is still there");
    bench.driver.script("delete_template", [Fault::Fails(Reason::Invalid)]);
    assert_eq!(bench.reason(&template_step("a")).await, Reason::Invalid, "it is in use");
    bench.driver.script("templates", [Fault::Fails(Reason::Unreachable), Fault::Fails(Reason::Unreachable)]);
    bench.run(&template_step("a")).await.unwrap();
    assert_eq!(bench.driver.templates().await.unwrap(), ["b"]);
}
