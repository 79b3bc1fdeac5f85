//! The rules, over everything that can be.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    leftover::{MANY, Pattern, Rule, plan},
    observe::{Resting, Role, Verdict, judge},
    *,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds)
}

const GRACE: Duration = Duration::from_secs(100);

fn listed(name: &str, power: PowerState, marks: Marks) -> Listed {
    Listed { name: name.to_owned(), power, marks, address: None, published: Vec::new(), console_url: None }
}

fn known(name: &str, new_name: Option<&str>, gone_at: Option<Timestamp>) -> Known {
    Known {
        id: ApplianceId(7),
        name: name.to_owned(),
        new_name: new_name.map(str::to_owned),
        gone_at,
        elsewhere: false,
    }
}

fn machine(name: &str, kind: MachineKind) -> Machine {
    Machine {
        provider: "lab".into(),
        name: name.to_owned(),
        power: PowerState::On,
        kind,
        appliance_id: Some(ApplianceId(7)),
        sightings: 2,
        first_seen_at: at(0),
        since: at(0),
        approved: false,
        problem: String::new(),
    }
}

fn rule(pattern: &str, provider: Option<&str>) -> Rule {
    Rule {
        id: 3,
        pattern: Pattern::new(pattern).unwrap(),
        min_age: Duration::from_secs(600),
        provider: provider.map(Into::into),
        created_by: "boss".to_owned(),
        created_at: at(0),
    }
}

#[test]
fn whose_a_machine_is() {
    use MachineKind as K;
    let ours = Marks::Ours(ApplianceId(7));
    let kind = |name, marks, tagged: Option<&Known>, named| {
        MachineKind::of(&listed(name, PowerState::On, marks), tagged, named, at(100)).0
    };
    let there = known("a", Some("b"), None);
    assert_eq!((kind("a", ours, Some(&there), None), kind("b", ours, Some(&there), None)), (K::Tracked, K::Tracked));
    assert_eq!(kind("c", ours, Some(&there), None), K::Stray, "renamed by someone on the provider");
    let gone = known("a", Some("b"), Some(at(99)));
    assert_eq!((kind("a", ours, Some(&gone), None), kind("b", ours, Some(&gone), None)), (K::Leaked, K::Leaked));
    assert_eq!(kind("c", ours, Some(&gone), None), K::Stray, "the number may have been another's");
    let just_gone = known("a", None, Some(at(100)));
    assert_eq!(kind("a", ours, Some(&just_gone), None), K::Tracked, "the listing is older");
    assert_eq!(kind("a", ours, None, None), K::Lost);
    assert_eq!(kind("a", ours, None, Some(ApplianceId(8))), K::Stray, "another has its name");
    assert_eq!(kind("a", ours, Some(&Known { elsewhere: true, ..gone }), None), K::Stray, "another provider's");
    for (marks, whose) in [(Marks::None, K::Untracked), (Marks::Others, K::Foreign)] {
        assert_eq!(kind("a", marks, None, None), whose);
        assert_eq!(kind("a", marks, None, Some(ApplianceId(8))), K::Tracked, "no rule may touch a reserved name");
    }
}

#[test]
fn endpoints_are_located_as_workers_do() {
    let spec =
        |port, scheme: Option<&str>| EndpointSpec { name: format!("p{port}"), port, scheme: scheme.map(str::to_owned) };
    let mut seen = listed("a", PowerState::On, Marks::Ours(ApplianceId(7)));
    assert_eq!(seen.located(&[spec(80, None)]), None);
    seen.address = Some("10.0.0.7".to_owned());
    seen.published = vec![PublishedPort { port: 80, host: "127.0.0.1".to_owned(), host_port: 32768 }];
    let (address, endpoints) = seen.located(&[spec(80, Some("http")), spec(443, Some("https"))]).unwrap();
    assert_eq!(address, "10.0.0.7");
    let urls: Vec<_> = endpoints.iter().filter_map(|endpoint| endpoint.url.as_deref()).collect();
    assert_eq!(urls, ["http://127.0.0.1:32768", "https://10.0.0.7"]);
    assert_eq!(endpoints[0].port, 32768);
}

fn resting(state: ApplianceState, role: Role) -> Resting {
    Resting {
        id: ApplianceId(7),
        state,
        power: PowerState::On,
        address: None,
        endpoints: Vec::new(),
        missing_since: None,
        changed_at: at(0),
        busy: false,
        role,
    }
}

#[test]
fn missing_twice_is_orphaned_and_later_forgotten() {
    let mut known = resting(ApplianceState::Ready, Role::Used);
    let look = |known: &Resting, when| judge(known, None, None, at(when), GRACE);
    assert_eq!(look(&known, 10), Verdict::Missing);
    known.missing_since = Some(at(10));
    assert_eq!(look(&known, 10), Verdict::AsKnown, "the same listing again");
    assert_eq!(look(&known, 20), Verdict::Orphaned);
    known.changed_at = at(15);
    assert_eq!(look(&known, 20), Verdict::Missing, "it was made anew since it was missed");
    known.role = Role::Awaited;
    known.changed_at = at(5);
    assert_eq!(look(&known, 20), Verdict::Useless, "its pool gets another one");
    known =
        Resting { state: ApplianceState::Orphaned, changed_at: at(20), ..resting(ApplianceState::Ready, Role::Warm) };
    assert_eq!(look(&known, 30), Verdict::Missing, "orphaned by an operation");
    known.missing_since = Some(at(10));
    assert_eq!((look(&known, 109), look(&known, 110)), (Verdict::AsKnown, Verdict::Forgotten));
}

#[test]
fn what_is_seen_counts_and_unknown_is_not_absent() {
    let see = |known: &Resting, power| {
        judge(known, Some(&listed("a", power, Marks::Ours(known.id))), Some(&[]), at(10), GRACE)
    };
    let used = resting(ApplianceState::Ready, Role::Used);
    assert_eq!(see(&used, PowerState::Unknown), Verdict::AsKnown);
    assert_eq!(see(&used, PowerState::On), Verdict::AsKnown);
    let Verdict::Seen(off) = see(&used, PowerState::Off) else { panic!("it is off") };
    assert_eq!((off.state, off.power), (ApplianceState::Off, PowerState::Off));
    let orphan = Resting { missing_since: Some(at(1)), ..resting(ApplianceState::Orphaned, Role::Used) };
    let Verdict::Seen(back) = see(&orphan, PowerState::On) else { panic!("it is back") };
    assert_eq!(back.state, ApplianceState::Ready);
    assert_eq!(see(&orphan, PowerState::Changing), Verdict::Back);
    let warm = resting(ApplianceState::Ready, Role::Warm);
    assert!(matches!(see(&warm, PowerState::Off), Verdict::Seen(_)), "once is not enough to kill it");
    let off = Resting { state: ApplianceState::Off, power: PowerState::Off, ..warm };
    assert_eq!(see(&off, PowerState::Off), Verdict::Useless);
    assert_eq!(see(&resting(ApplianceState::Ready, Role::Awaited), PowerState::Suspended), Verdict::Useless);
}

fn power() -> impl Strategy<Value = PowerState> {
    prop::sample::select(PowerState::ALL.to_vec())
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::Warm, Role::Awaited, Role::Used])
}

proptest! {
    #[test]
    fn a_listing_says_nothing_of_what_changed_after_it_began_or_is_under_way(
        state in prop::sample::select(ApplianceState::ALL.to_vec()), role in role(), was in power(), is in power(),
        there in any::<bool>(), busy in any::<bool>(), changed in 0..20_i64, missing in prop::option::of(0..20_i64),
        began in 0..20_i64,
    ) {
        let known = Resting {
            power: was, missing_since: missing.map(at), changed_at: at(changed), busy, ..resting(state, role)
        };
        let seen = listed("a", is, Marks::Ours(known.id));
        let verdict = judge(&known, there.then_some(&seen), Some(&[]), at(began), GRACE);
        if busy || changed >= began || !AT_REST.contains(&state) {
            prop_assert_eq!(verdict, Verdict::AsKnown);
        } else if role == Role::Used {
            prop_assert!(verdict != Verdict::Useless, "what someone uses is never replaced");
            if there {
                prop_assert!(!matches!(verdict, Verdict::Missing | Verdict::Orphaned | Verdict::Forgotten));
            } else {
                let killed_early = verdict == Verdict::Forgotten && missing.is_none_or(|since| began - since < 100);
                prop_assert!(!killed_early);
                prop_assert!(verdict != Verdict::Orphaned || missing.is_some_and(|since| since < began && since > changed));
            }
        }
    }

    #[test]
    fn only_leaks_seen_long_enough_and_what_rules_match_go(
        kind in prop::sample::select(MachineKind::ALL.to_vec()), sightings in 1..3_u32, since in 0..1000_i64,
        first in 0..1000_i64, now in 0..2000_i64, ruled in any::<bool>(),
    ) {
        let it = Machine { sightings, since: at(since), first_seen_at: at(first), ..machine("jenkins-1", kind) };
        let rules = if ruled { vec![rule("^jenkins-", Some("lab")), rule("1", Some("other"))] } else { Vec::new() };
        let planned = plan(std::slice::from_ref(&it), &rules, 1, at(now), GRACE);
        let due = planned.iter().any(leftover::Planned::is_due);
        let may = match kind {
            MachineKind::Leaked => sightings >= 2 && now - since >= 100,
            MachineKind::Untracked | MachineKind::Stray | MachineKind::Lost => ruled && now - first >= 600,
            MachineKind::Tracked | MachineKind::Foreign => false,
        };
        prop_assert_eq!(due, may);
    }
}

#[test]
fn many_leaks_at_once_are_doubted_if_they_are_most_of_what_is_ours() {
    let leaks = |count: usize| (0..count).map(|n| machine(&n.to_string(), MachineKind::Leaked)).collect::<Vec<_>>();
    let due = |machines: &[Machine], marked| {
        plan(machines, &[], marked, at(1000), GRACE).iter().filter(|planned| planned.is_due()).count()
    };
    assert_eq!(due(&leaks(MANY), MANY), MANY);
    assert_eq!(due(&leaks(MANY + 1), MANY + 1), 0);
    assert_eq!(due(&leaks(MANY + 1), 2 * MANY + 2), MANY + 1, "half of what is ours is not most of it");
    let approved: Vec<_> = leaks(50).into_iter().map(|leak| Machine { approved: true, ..leak }).collect();
    assert_eq!(due(&approved, 50), 50);
}

#[test]
fn rules_are_checked() {
    for wrong in ["", " ", "(", &"x".repeat(300), "(a{1000}){1000}"] {
        let error = Pattern::new(wrong).unwrap_err();
        assert_eq!(error.metadata, [("field", "name_pattern".to_owned())], "{wrong}");
    }
    assert!(Rule::checked_age(Duration::from_secs(599)).is_err() && Rule::checked_age(Duration::MAX).is_err());
    assert!(Rule::checked_age(Duration::from_secs(600)).is_ok());
}
