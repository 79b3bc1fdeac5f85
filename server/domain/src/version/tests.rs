use super::*;

/// Pairs with their order: -1 older, 0 the same, 1 newer; one pair a line.
const PAIRS: &str = include_str!("pairs.txt");

#[test]
fn agrees_with_every_known_pair() {
    let mut count = 0;
    for line in PAIRS.lines().filter(|line| !line.starts_with('#')) {
        let [a, b, order] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("not a pair: {line}") };
        let order = order.parse::<i8>().unwrap().cmp(&0);
        let (a, b) = (Version::new(a), Version::new(b));
        assert_eq!(a.compare(&b, &ReleaseNames::default()), order, "{line}");
        assert_eq!(b.compare(&a, &ReleaseNames::default()), order.reverse(), "{line}");
        count += 1;
    }
    assert!(count >= 60, "only {count} pairs were compared");
}

#[test]
fn release_names_are_configuration() {
    let names = ReleaseNames::new([("hammer", "5.10"), ("kasparov", "newest"), ("indigo", "5.11")]);
    let order = |a: &str, b: &str| Version::new(a).compare(&Version::new(b), &names);
    assert_eq!(order("hammer", "5.10"), Ordering::Equal);
    assert_eq!(order("indigo-2", "indigo-10"), Ordering::Less);
    assert_eq!(order("kasparov", "99"), Ordering::Greater);
    assert_eq!(order("jansa", "1"), Ordering::Less, "a word that is no name is older than any number");
}

#[test]
fn builds_without_a_version_are_ordered_by_their_day() {
    let day = |text: &str| Version::made_up(text.parse().unwrap());
    assert_eq!(day("2020-01-31").as_str(), "...20200131");
    assert!(day("2019-12-31") < day("2020-01-01") && day("2020-01-01") < Version::new("master"));
    assert!(Version::new("5.11.99") < day("2019-12-31"));
}

#[test]
fn orders_as_people_expect() {
    let ascending = [
        "5.6",
        "5.8.0.1-alpha",
        "5.8.0.1-beta1-nightly",
        "5.8.0.1-beta1",
        "5.8.0.1",
        "5.9.0.4",
        "5.9.0.22",
        "5.9.9",
        "5.10",
        "5.10.0.1",
        "5.11.0.1-nightly",
        "5.11.0.1-pre",
        "5.11.0.1-pre2",
        "5.11.0.1-alpha1",
        "5.11.0.1-beta1",
        "5.11.0.1-beta2",
        "5.11.0.1-rc1",
        "5.11.0.1-rc2",
        "5.11.0.1-rc10",
        "5.11.0.1-rc10.2",
        "5.11.0.1",
        "5.11.0.2",
        "5.11.99",
    ];
    for pair in ascending.windows(2) {
        assert!(Version::new(pair[0]) < Version::new(pair[1]), "{} < {}", pair[0], pair[1]);
    }
}

proptest::proptest! {
    #[test]
    fn is_a_total_order(a in "[0-9a-c.-]{0,8}", b in "[0-9a-c.-]{0,8}", c in "[0-9a-c.-]{0,8}") {
        let (a, b, c) = (Version::new(a), Version::new(b), Version::new(c));
        assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            assert!(a <= c, "{a} <= {b} <= {c}");
        }
    }

    #[test]
    fn accepts_any_text(a in "\\PC{0,12}", b in "\\PC{0,12}") {
        let _ = Version::new(a).cmp(&Version::new(b));
    }
}
