use super::*;

/// Names with what they say, one a line.
const NAMES: &str = include_str!("names.txt");

fn rule(name: &str, pattern: &str) -> RuleSpec {
    RuleSpec { name: name.to_owned(), pattern: pattern.to_owned(), ..RuleSpec::default() }
}

fn date(text: &str) -> BuildDate {
    text.parse().unwrap()
}

#[test]
fn agrees_with_every_known_name() {
    let rules = Rules::default();
    assert_eq!(rules.specs().count(), shipped::count(), "one of those shipped cannot be made");
    let mut count = 0;
    for line in NAMES.lines().filter(|line| !line.starts_with('#')) {
        let [name, stream, day, version, build_type] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not a name: {line}")
        };
        let told = match rules.read(name) {
            Err(Unread::NoRule(_)) => ["unknown", "-", "-", "-"].map(str::to_owned),
            Err(unread) => panic!("{name}: {unread}"),
            Ok(reading) => {
                let day = match reading.day {
                    None => "-".to_owned(),
                    Some(Day::Full(date)) => date.to_string(),
                    Some(Day::Yearless { .. }) => "yearless".to_owned(),
                };
                // Where the date is told for a version, ours says so by its dots.
                let version =
                    reading.version.map_or_else(|| "-".to_owned(), |v| v.as_str().trim_start_matches("...").to_owned());
                [reading.stream, day, version, reading.build_type.unwrap_or_else(|| "-".to_owned())]
            }
        };
        assert_eq!(told, [stream, day, version, build_type], "{name}");
        count += 1;
    }
    assert!(count >= 35, "only {count} names were read");
}

#[test]
fn only_builds_that_are_to_be_used_are() {
    let rules = Rules::default();
    let extdb = rules.read("cfme-5.11.7.3-extdb-20200910").unwrap();
    assert!(extdb.unusable && !extdb.ignore);
    for name in ["s_tpl_downstream-59z_180101_abcd1234", "s_tpl_foo", "raw-image"] {
        assert!(rules.read(name).unwrap().ignore, "{name}");
    }
    let pv = rules.read("cfme-5.11.7.3-pv-20200910").unwrap();
    assert!(!pv.unusable && !pv.ignore);
    assert_eq!((pv.rule.as_str(), pv.product.as_deref()), ("cfme", Some("cfme")));
}

#[test]
fn a_nightly_build_is_newer_than_numbers_and_of_the_one_stream() {
    let nightly = Rules::default().read("miq-nightly-201711212330").unwrap();
    assert_eq!(nightly.build(date("2026-01-01")), (Version::new("...20171121"), date("2017-11-21")));
    assert_eq!(Rules::default().read("miq-20171121").unwrap().stream, "upstream");
}

#[test]
fn two_rules_are_named_and_none_is_guessed() {
    let spec = |name: &str, pattern: &str| RuleSpec { stream: Some("s".to_owned()), ..rule(name, pattern) };
    let rules = Rules::new([
        spec("first", r"app-(?<version>\d+)"),
        spec("second", r"app-(?<version>.*)"),
        RuleSpec { fallback: true, ..spec("last", r"(?<version>.*)") },
    ])
    .unwrap();
    let two = rules.read("app-1").unwrap_err();
    assert_eq!(two, Unread::TwoRules(vec!["first".to_owned(), "second".to_owned()]));
    assert_eq!(two.to_string(), "it matches several rules: first, second");
    assert_eq!(rules.read("app-x").unwrap().rule, "second");
    assert_eq!(rules.read("other").unwrap().rule, "last", "a fallback is no second rule");
}

#[test]
fn a_date_that_is_none_is_told() {
    let unread = Rules::default().read("cfme-5.9.0.22-20181301").unwrap_err();
    assert_eq!(unread.to_string(), "no rule matches it: it looks like those of rule cfme, but 20181301 is not a date");
    assert_eq!(Rules::default().read("random-name").unwrap_err().to_string(), "no rule matches it");
}

#[test]
fn a_date_without_a_year_is_the_last_such_day() {
    let day = |text: &str, seen: &str| Day::read(text).unwrap().on_or_before(date(seen)).to_string();
    assert_eq!(day("0101", "2018-01-05"), "2018-01-01");
    assert_eq!(day("1231", "2018-01-05"), "2017-12-31");
    assert_eq!(day("0106", "2018-01-05"), "2018-01-06", "where the day has begun already");
    assert_eq!(day("0229", "2023-06-01"), "2020-02-29");
    assert_eq!(day("180101", "2026-06-01"), "2018-01-01");
    for text in ["", "1301", "0230", "20180230", "201801012460", "2018", "2018-01-01", "18010", "１８０１０１"] {
        assert!(Day::read(text).is_none() || text == "2018", "{text}");
    }
}

#[test]
fn refuses_rules_that_cannot_work() {
    let wrong = |spec: RuleSpec| Rules::new([rule("fine", "(?<stream>a)(?<date>b)"), spec]).unwrap_err();
    let (at, error) = wrong(rule("x", "("));
    assert!(at == 1 && matches!(error, RuleError::Syntax(_)));
    assert_eq!(wrong(rule("x", "(?<version>a)")).1, RuleError::NoStream);
    assert_eq!(wrong(rule("x", "(?<stream>a)")).1, RuleError::NoBuild);
    let part = RuleSpec { stream: Some("a{b}".to_owned()), ..rule("x", "(?<version>a)") };
    assert_eq!(wrong(part).1.to_string(), "stream: the pattern has no part `(?<b>…)`; it has version");
    let open = RuleSpec { version: Some("a{b".to_owned()), ..rule("x", "(?<stream>a)") };
    assert!(wrong(open).1.to_string().contains("nothing closes"));
    assert!(Rules::new([RuleSpec { ignore: true, ..rule("x", "(?<stream>a)") }]).is_ok());
}

#[test]
fn knows_to_which_groups_it_can_give_templates() {
    let rules = Rules::default();
    for (group, can) in [
        ("downstream-511z", true),
        ("upstream", true),
        ("upstream-jansa", true),
        ("upstreamx", false),
        ("downstream-511", false),
        ("sprout", false),
        ("demo", false),
    ] {
        assert_eq!(rules.can_give(group), can, "{group}");
    }
}

proptest::proptest! {
    #[test]
    fn reads_or_refuses_any_text(name in "\\PC{0,24}", digits in "[0-9]{0,14}") {
        let _ = Rules::default().read(&name);
        let _ = Rules::default().read(&format!("cfme-5.9.0.22-{digits}")).map(|reading| reading.build(date("2020-02-29")));
    }
}
