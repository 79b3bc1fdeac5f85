use std::time::Duration;

use super::*;
use crate::{
    Secret,
    catalogue::Source,
    provider::{ProviderSettings, ProviderSpec},
};

fn catalogue() -> Catalogue {
    let provider = |key: &str| {
        let settings = ProviderSettings::External {
            simulated: true,
            endpoint: String::new(),
            token: Secret::new(""),
            ca_pem: String::new(),
            memory_mib: 0,
            cpus: 0,
        };
        let spec = ProviderSpec {
            key: key.into(),
            name: key.to_owned(),
            provisioning_limit: 1,
            appliance_limit: None,
            memory_limit_mib: None,
            cpu_limit: None,
            circuit_failures: 1,
            configuring_limit: 1,
            template_name_limit: None,
            container_base_template: None,
            disabled: false,
            settings,
        };
        (spec.key.clone(), spec)
    };
    let groups = ["downstream-59z", "downstream-511z", "upstream"].map(GroupName::from).into();
    let source = Source { url: String::new(), ca_pem: String::new(), authorization: Secret::new(""), groups };
    Catalogue {
        providers: ["lab", "rhv", "local"].map(provider).into(),
        sources: [("bot".to_owned(), source)].into(),
        without_source: [ProviderKey::from("local")].into(),
        orphan_grace: Duration::ZERO,
        ..Catalogue::default()
    }
}

fn listed(provider: &str, name: &str, group: &str) -> Listed {
    let (provider, name, group) = (provider.to_owned(), name.to_owned(), group.to_owned());
    Listed { provider, name, group, date: None, usable: true, ga_released: false, custom_data: String::new() }
}

fn sifted(listed: Vec<Listed>) -> Sifted {
    sift(&catalogue(), "bot", &Listing { listed, ..Listing::default() })
}

fn entries(names: std::ops::Range<u32>) -> Vec<Entry> {
    let entry = |n| Entry {
        provider: "lab".into(),
        name: format!("cfme-5.9.0.{n}-20180101"),
        group: "downstream-59z".into(),
        usable: true,
        date: None,
        ga_released: false,
        custom_data: String::new(),
    };
    names.map(entry).collect()
}

#[test]
fn takes_what_concerns_us_newest_first_and_groups_in_turn() {
    let sifted = sifted(vec![
        listed("lab", "cfme-5.9.0.1-20180101", "downstream-59z"),
        listed("lab", "cfme-5.9.0.3-20180301", "downstream-59z"),
        listed("lab", "cfme-5.9.0.2-20180201", "downstream-59z"),
        listed("lab", "cfme-5.11.7.1-20200101", "downstream-511z"),
        listed("rhv", "miq-nightly-201711212330", "upstream"),
        listed("lab", "miq-nightly-201711212330", "upstream"),
        listed("lab", "whatever", "unknown"),
        listed("lab", "cfme-5.8.0.1-20170101", "downstream-58z"),
        listed("elsewhere", "cfme-5.9.0.1-20180101", "downstream-59z"),
        listed("local", "cfme-5.9.0.1-20180101", "downstream-59z"),
        listed("rhv", "s_tpl_downstream-59z_180101_abcd1234", "downstream-59z"),
    ]);
    let names: Vec<_> = sifted.entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(
        names,
        [
            "cfme-5.11.7.1-20200101",
            "cfme-5.9.0.3-20180301",
            "miq-nightly-201711212330",
            "cfme-5.9.0.2-20180201",
            "miq-nightly-201711212330",
            "cfme-5.9.0.1-20180101",
        ]
    );
    assert_eq!((sifted.others, sifted.problems), (5, vec![]));
}

#[test]
fn what_makes_no_sense_is_told_and_the_rest_is_taken() {
    let fine = listed("lab", "cfme-5.9.0.1-20180101", "downstream-59z");
    let twice = Listed { usable: false, ..listed("lab", "cfme-5.9.0.2-20180101", "downstream-59z") };
    let sifted = sifted(vec![
        fine.clone(),
        fine,
        listed("lab", "nobody-knows", "downstream-59z"),
        listed("lab", "cfme-5.11.7.1-20200101", "downstream-59z"),
        twice.clone(),
        Listed { usable: true, ..twice },
    ]);
    assert_eq!(sifted.entries.len(), 1);
    let told: Vec<_> = sifted.problems.iter().map(|problem| (problem.kind, &*problem.message)).collect();
    assert_eq!(
        told,
        [
            (ProblemKind::NoRule, "no rule matches it"),
            (
                ProblemKind::OtherGroup,
                "it is listed as one of downstream-59z, and rule cfme reads downstream-511z from its name"
            ),
            (ProblemKind::Contradiction, "two different things are said of it, so it stays as it was"),
        ]
    );
    // What was known of it stays.
    let known = Entry { name: "cfme-5.9.0.2-20180101".to_owned(), ..entries(1..2).remove(0) };
    assert_eq!(compare(&[known], &sifted, true, false).removed, [0; 0]);
}

#[test]
fn the_source_says_the_year_where_the_name_does_not() {
    let with = |date: &str| {
        let date = Some(date.parse().unwrap());
        sifted(vec![Listed { date, ..listed("lab", "cfme-59022-0101", "downstream-59z") }]).entries[0].date
    };
    assert_eq!(with("2017-01-01"), Some("2017-01-01".parse().unwrap()));
    assert_eq!(with("2017-01-02"), None, "another day than the name says");
}

#[test]
fn only_what_changes_is_written() {
    let known = entries(0..3);
    let same = Sifted { entries: entries(0..3), ..Sifted::default() };
    assert_eq!(compare(&known, &same, true, false), Delta::default());
    let mut other = Sifted { entries: entries(1..4), ..Sifted::default() };
    other.entries[0].usable = false;
    let delta = compare(&known, &other, true, false);
    assert_eq!(
        (delta.written, delta.removed, delta.kept),
        (vec![other.entries[0].clone(), other.entries[2].clone()], vec![0], 0)
    );
}

#[test]
fn absence_counts_only_where_it_can_be_believed() {
    let known = entries(0..12);
    let few = Sifted { entries: entries(0..2), ..Sifted::default() };
    let removed = |whole, asked| compare(&known, &few, whole, asked).removed.len();
    assert_eq!((removed(false, false), removed(false, true)), (0, 0), "not all was read");
    assert_eq!(removed(true, false), 0, "most of them at once");
    assert_eq!(compare(&known, &few, true, false).kept, 10);
    assert_eq!(removed(true, true), 10);
    let most = Sifted { entries: entries(0..7), ..Sifted::default() };
    assert_eq!(compare(&known, &most, true, false).removed.len(), 5);
}

#[test]
fn says_why_a_template_may_not_be_used() {
    let reading = |name: &str| catalogue().read_name(name).unwrap();
    let plain = reading("cfme-5.9.0.1-20180101");
    let entry = entries(1..2).remove(0);
    let not = Entry { usable: false, ..entry.clone() };
    assert_eq!(unusable(&plain, None, None), "");
    let released = Entry { ga_released: true, custom_data: "{}".to_owned(), ..not.clone() };
    let told = said(&plain, Some("bot"), Some(&released));
    assert_eq!((told.ga_released, &*told.custom_data), (true, "{}"));
    assert_eq!(told.unusable, "catalogue bot says that it is not usable");
    assert_eq!(said(&plain, None, Some(&released)), Said::default());
    assert_eq!(unusable(&plain, Some("bot"), Some(&entry)), "");
    assert_eq!(unusable(&plain, Some("bot"), None), "catalogue bot does not list it");
    assert_eq!(unusable(&plain, Some("bot"), Some(&not)), "catalogue bot says that it is not usable");
    let extdb = reading("cfme-5.11.7.3-extdb-20200910");
    assert_eq!(unusable(&extdb, Some("bot"), Some(&entry)), "builds of type extdb are not used, says rule cfme");
}
