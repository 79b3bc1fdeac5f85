//! The provider without anything around it, with a clock that the tests turn.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use sprout_proto::task::StepErrorReason as Reason;

use super::*;

const TEMPLATE: &str = "t-1.0";

/// A provider and the calls of one caller, each over before the next.
struct Bench {
    sim: Sim,
    now: Millis,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self { sim: Sim::new(config), now: 1_000_000 }
    }

    /// One call from beginning to end; the clock is where it is answered then.
    fn call(&mut self, call: &Call) -> Result<Reply, Refused> {
        let outcome = self.outcome(call);
        self.now = outcome.answered_at;
        outcome.answer
    }

    fn outcome(&mut self, call: &Call) -> Outcome {
        let begun = self.sim.begin(self.now, call);
        self.now = begun.acts_at;
        self.sim.act(self.now, call, begun.struck)
    }

    fn see(&mut self, name: &str) -> Option<View> {
        match self.call(&Call::Find { name: name.into() }) {
            Ok(Reply::Instance(view)) => view,
            other => panic!("{other:?}"),
        }
    }

    /// What it answers, if it has an address and answers there.
    fn answer(&mut self, name: &str) -> Option<String> {
        let address = self.see(name)?.address?;
        self.sim.answer_at(self.now, address).map(str::to_owned)
    }
}

fn config() -> Config {
    let templates = BTreeMap::from([(TEMPLATE.to_owned(), "1.0".to_owned())]);
    Config { templates, ..Config::default() }
}

fn tags(appliance_id: u64) -> Tags {
    Tags { installation_id: "here".into(), appliance_id, epoch: 1 }
}

fn create(name: &str) -> Call {
    let (template, name) = (TEMPLATE.into(), name.into());
    Call::Create { template, name, tags: tags(1), memory_mib: None, cpus: None, ports: vec![80] }
}

fn start(name: &str) -> Call {
    Call::Start { name: name.into() }
}

fn delete(name: &str) -> Call {
    Call::Delete { name: name.into(), tags: Some(tags(1)) }
}

fn reason(answer: Result<Reply, Refused>) -> Reason {
    answer.unwrap_err().reason
}

fn faulty(kind: FaultKind, for_ms: u64) -> Bench {
    let fault = Fault {
        kind,
        probability: 1.0,
        operations: Vec::new(),
        name_prefix: "a".into(),
        times: 1,
        for_ms,
        reason: Reason::NoCapacity,
        happened: 0,
    };
    Bench::new(Config { faults: vec![fault], ..config() })
}

#[test]
fn an_instance_becomes_ready_in_its_time() {
    let mut bench = Bench::new(config());
    let start_time = bench.now;
    let begun = bench.sim.begin(start_time, &create("a"));
    let outcome = bench.sim.act(start_time, &create("a"), begun.struck);
    assert_eq!((outcome.answered_at, bench.sim.creating()), (start_time + 500, 1));
    assert_eq!(bench.see("a").unwrap().power, Power::Changing, "seen while it is made");
    bench.now = outcome.answered_at;
    assert_eq!((bench.see("a").unwrap().power, bench.sim.creating()), (Power::Off, 0));

    bench.call(&start("a")).unwrap();
    let on = bench.see("a").unwrap();
    assert_eq!((on.power, on.address, on.published.len()), (Power::On, None, 0));
    bench.now += 200;
    let located = bench.see("a").unwrap();
    assert_eq!((located.address, located.published), (Some("127.64.0.1".parse().unwrap()), vec![(80, 7701)]));
    assert_eq!(bench.answer("a"), None, "booting");
    bench.now += 300;
    assert_eq!(bench.answer("a").as_deref(), Some("1.0"));
    bench.call(&delete("a")).unwrap();
    assert_eq!((bench.see("a"), bench.sim.instances()), (None, 0));
}

#[test]
fn one_that_is_being_made_can_be_started_and_deleted() {
    let mut bench = Bench::new(config());
    bench.outcome(&create("a"));
    bench.outcome(&create("b"));
    bench.call(&delete("b")).unwrap();
    assert_eq!((bench.see("b"), bench.sim.creating()), (None, 1));
    bench.call(&start("a")).unwrap();
    assert_eq!(bench.see("a").unwrap().power, Power::On);
}

#[test]
fn quotas_are_kept() {
    let capacity = Capacity { instances: Some(2), memory_mib: Some(2048), cpus: None };
    let mut bench = Bench::new(Config { capacity, ..config() });
    bench.call(&create("a")).unwrap();
    let more = Call::Resize { name: "a".into(), memory_mib: Some(2049), cpus: None };
    assert_eq!(reason(bench.call(&more)), Reason::NoCapacity);
    bench.call(&create("b")).unwrap();
    assert_eq!(reason(bench.call(&create("c"))), Reason::NoCapacity);
    bench.call(&delete("a")).unwrap();
    bench.call(&create("c")).unwrap();
}

#[test]
fn what_it_lacks_is_unsupported() {
    let lacks = BTreeSet::from([Capability::Suspend, Capability::Retag]);
    let mut bench = Bench::new(Config { lacks, ..config() });
    bench.call(&create("a")).unwrap();
    assert_eq!(reason(bench.call(&Call::Suspend { name: "a".into() })), Reason::Unsupported);
    assert_eq!(reason(bench.call(&Call::Tag { name: "a".into(), tags: tags(2) })), Reason::NameTaken);
    bench.call(&Call::Tag { name: "a".into(), tags: Tags { epoch: 9, ..tags(1) } }).unwrap();
}

#[test]
fn faults_of_calls() {
    let mut error = faulty(FaultKind::Error, 1000);
    assert_eq!(reason(error.call(&create("a"))), Reason::NoCapacity);
    assert_eq!(error.sim.instances(), 0, "nothing was done");
    error.call(&create("a")).unwrap();
    assert_eq!(error.sim.faults()[0].happened, 1, "once, as it says");

    for (kind, fate) in [(FaultKind::NoAnswer, Fate::Never), (FaultKind::Disconnect, Fate::Cut)] {
        let mut bench = faulty(kind, 1000);
        assert_eq!(bench.outcome(&create("b")).fate, Fate::Answered, "names another");
        assert_eq!((bench.outcome(&create("a")).fate, bench.sim.instances()), (fate, 2));
    }

    let mut late = faulty(FaultKind::Late, 3000);
    let begun = late.sim.begin(late.now, &create("a"));
    assert_eq!((begun.acts_at, late.sim.instances()), (late.now + 3000, 0));
    let mut slow = faulty(FaultKind::Slow, 3000);
    assert_eq!(slow.outcome(&create("a")).answered_at, slow.now + 3500);

    let mut clash = faulty(FaultKind::NameClash, 1000);
    assert_eq!(reason(clash.call(&create("a"))), Reason::NameTaken);
    assert_eq!(clash.see("a").unwrap().tags, None, "somebody else's");
    assert_eq!(reason(clash.call(&delete("a"))), Reason::NameTaken);
}

#[test]
fn faults_of_instances() {
    let mut lost = faulty(FaultKind::Lost, 1000);
    lost.call(&create("a")).unwrap();
    assert!(lost.see("a").is_some());
    lost.now += 1000;
    assert_eq!(lost.see("a"), None);

    let started = |kind| {
        let mut bench = faulty(kind, 1000);
        bench.call(&create("a")).unwrap();
        bench.call(&start("a")).unwrap();
        bench
    };
    let mut crash = started(FaultKind::Crash);
    crash.now += 999;
    assert_eq!(crash.answer("a").as_deref(), Some("1.0"));
    crash.now += 1;
    assert_eq!((crash.answer("a"), crash.see("a").unwrap().power), (None, Power::Off));

    let (mut dead, mut nowhere) = (started(FaultKind::NoBoot), started(FaultKind::NoAddress));
    (dead.now, nowhere.now) = (dead.now + 100_000, nowhere.now + 100_000);
    assert!(dead.see("a").unwrap().address.is_some() && dead.answer("a").is_none());
    assert_eq!(nowhere.see("a").unwrap().address, None);
    dead.call(&Call::Reboot { name: "a".into() }).unwrap();
    dead.now += 500;
    assert!(dead.answer("a").is_some(), "the fault happened once");

    let mut stale = started(FaultKind::Stale);
    assert_eq!(stale.see("a").unwrap().power, Power::Off, "as before");
    stale.now += 1000;
    assert_eq!(stale.see("a").unwrap().power, Power::On);
}

#[test]
fn faults_that_cannot_be_are_refused() {
    let mut bench = faulty(FaultKind::Crash, 1);
    let fault = bench.sim.faults()[0].clone();
    for wrong in [
        Fault { probability: 0.0, ..fault.clone() },
        Fault { probability: f64::NAN, ..fault.clone() },
        Fault { operations: vec![Operation::Find], ..fault },
    ] {
        assert!(bench.sim.set_faults(bench.now, vec![wrong]).is_err());
    }
    assert_eq!(bench.sim.faults().len(), 1, "unchanged");
}

fn any_call() -> impl Strategy<Value = (Call, u64)> {
    let call = (0..12_u8, prop::sample::select(vec!["a", "b", "c", "d"])).prop_map(|(kind, name)| {
        let named: String = name.into();
        match kind {
            0..=2 => create(name),
            3 | 4 => start(name),
            5 => Call::Stop { name: named },
            6 => Call::Reboot { name: named },
            7 => Call::Suspend { name: named },
            8 => Call::Rename { name: named, new_name: "d".into() },
            9 => Call::Resize { name: named, memory_mib: Some(2000), cpus: None },
            10 => Call::Tag { name: named, tags: tags(1) },
            _ => delete(name),
        }
    });
    (call, 0..400_u64)
}

fn random_faults() -> Vec<Fault> {
    let kinds = [FaultKind::Error, FaultKind::Lost, FaultKind::Crash, FaultKind::Stale, FaultKind::NameClash];
    let fault = |kind| Fault {
        kind,
        probability: 0.2,
        name_prefix: String::new(),
        times: 0,
        ..faulty(kind, 300).sim.faults()[0].clone()
    };
    kinds.into_iter().map(fault).collect()
}

proptest! {
    /// What the journal says is what there is: a provider that is made anew from it, with a snapshot taken anywhere, is the same.
    #[test]
    fn the_journal_is_the_state(calls in vec(any_call(), 1..60), cut in 0..60_usize) {
        let config = Config { seed: 5, faults: random_faults(), ..config() };
        let mut bench = Bench::new(config.clone());
        let (mut entries, mut snapshot) = (Vec::new(), bench.sim.snapshot());
        for (n, (call, pause)) in calls.iter().enumerate() {
            bench.outcome(call);
            bench.now += pause;
            entries.extend(bench.sim.take_entries());
            if n == cut {
                snapshot = bench.sim.snapshot();
            }
        }
        prop_assert!(entries.iter().enumerate().all(|(n, entry)| entry.number == n as u64 + 1), "no gap");
        prop_assert!(entries.is_sorted_by_key(|entry| entry.at), "in the order of time");
        let lines: Vec<String> = entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
        let read = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        let restored = Sim::restore(config, snapshot, read);
        prop_assert_eq!(restored.snapshot(), bench.sim.snapshot());
        prop_assert_eq!(restored.creating(), bench.sim.creating());
        prop_assert_eq!(restored.timers, bench.sim.timers);
        prop_assert_eq!(restored.memory_mib, bench.sim.memory_mib);
        prop_assert_eq!(restored.by_name, bench.sim.by_name);
    }

    /// The same seed and calls give the same.
    #[test]
    fn a_seed_repeats(calls in vec(any_call(), 1..40), seed in 0..1000_u64) {
        let run = || {
            let mut bench = Bench::new(Config { seed, faults: random_faults(), ..config() });
            for (call, pause) in &calls {
                bench.outcome(call);
                bench.now += pause;
            }
            bench.sim.take_entries()
        };
        prop_assert_eq!(run(), run());
    }
}
