//! What is suggested, used no more, deleted and kept.

use proptest::prelude::*;

use super::*;
use crate::Timestamp;

fn date(text: &str) -> BuildDate {
    text.parse().unwrap()
}

/// A ready template of version and date.
fn template(id: i64, version: &str, built: &str) -> Template {
    Template {
        id: TemplateId(id),
        name: format!("t-{id}"),
        provider: "lab".into(),
        group: "app".into(),
        version: Version::new(version),
        date: date(built),
        state: TemplateState::Ready,
        found_at: "2020-06-01T00:00:00Z".parse::<Timestamp>().unwrap(),
        template_type: TemplateType::VirtualMachine,
        unconfigured: false,
        failure_count: 0,
        quarantine_reason: String::new(),
        specimen_id: None,
        next_try_at: None,
        suggested_for_deletion: false,
        obsolete: false,
        parent_id: None,
        build: String::new(),
        verified_version: String::new(),
        preparation: crate::template::Preparations::default(),
        said: crate::template::Said::default(),
    }
}

fn judged(templates: &[Template], disuse: Option<u32>, delete: Option<u32>) -> Vec<(i64, Action)> {
    let verdicts = judge(templates, |_| AgeLimits { disuse, delete }, date("2020-12-31"));
    assert!(verdicts.iter().all(|verdict| !verdict.reason.is_empty()));
    verdicts.iter().map(|verdict| (verdict.template.0, verdict.action)).collect()
}

#[test]
fn all_but_the_newest_version_of_each_z_stream_are_suggested() {
    let all = [
        template(1, "5.9.0.4", "2020-12-01"),
        template(2, "5.9.0.22", "2020-12-02"),
        template(3, "5.9.1.1", "2020-12-03"),
        template(4, "5.9.1.1-rc2", "2020-12-02"),
        template(5, "5.10.0", "2020-12-04"),
        template(6, "5.10.1", "2020-12-05"),
        template(7, "1.0", "2020-12-05"),
        template(8, "1.1", "2020-12-05"),
        template(9, "...20201201", "2020-12-01"),
        template(10, "...20201230", "2020-12-30"),
        template(11, "gaprindashvili-3", "2020-12-01"),
        template(12, "gaprindashvili-4", "2020-12-02"),
    ];
    let suggested: Vec<_> = judged(&all, None, None)
        .into_iter()
        .map(|(id, action)| {
            assert_eq!(action, Action::Suggest);
            id
        })
        .collect();
    assert_eq!(suggested, [1, 4, 5, 9, 11]);
    let verdicts = judge(&all, |_| AgeLimits::default(), date("2020-12-31"));
    assert_eq!(verdicts[0].reason, "version 5.9.0.22 of 5.9.0 is there, which is newer and works");
}

#[test]
fn only_what_works_and_can_stand_in_makes_another_superfluous() {
    let older = template(1, "5.9.0.4", "2020-12-01");
    let newer = template(2, "5.9.0.22", "2020-12-02");
    for other in [
        Template { state: TemplateState::Quarantined, ..newer.clone() },
        Template { state: TemplateState::Retiring, ..newer.clone() },
        Template { state: TemplateState::Gone, ..newer.clone() },
        Template {
            said: crate::template::Said {
                unusable: "a catalogue says so".to_owned(),
                ..crate::template::Said::default()
            },
            ..newer.clone()
        },
        Template { provider: "elsewhere".into(), ..newer.clone() },
        Template { group: "other".into(), ..newer.clone() },
        Template { unconfigured: true, ..newer.clone() },
        Template { template_type: TemplateType::Container, ..newer.clone() },
    ] {
        assert_eq!(judged(&[older.clone(), other], None, None), []);
    }
    let broken = Template { state: TemplateState::Quarantined, ..older };
    assert_eq!(
        judged(&[broken, newer], None, None),
        [(1, Action::Suggest)],
        "one that does not work is superfluous, too"
    );
}

#[test]
fn what_is_old_is_used_no_more_and_then_deleted_but_the_newest_that_works() {
    let all =
        [template(1, "1.0.1", "2020-01-01"), template(2, "1.0.2", "2020-11-01"), template(3, "1.0.3", "2020-12-30")];
    assert_eq!(judged(&all, Some(30), Some(180)), [(1, Action::Delete), (2, Action::Disuse)]);
    assert_eq!(judged(&all[..2], Some(30), Some(40)), [(1, Action::Delete), (2, Action::Keep)]);
    let broken = Template { state: TemplateState::Quarantined, ..all[2].clone() };
    let judged = judged(&[all[0].clone(), all[1].clone(), broken], Some(30), Some(40));
    assert_eq!(judged, [(1, Action::Delete), (2, Action::Keep)], "what does not work replaces nothing");
}

#[test]
fn the_newest_version_stays_although_an_older_one_was_built_later() {
    let all =
        [template(1, "1.1.0", "2020-01-01"), template(2, "1.0.9", "2020-02-01"), template(3, "1.0.8", "2020-01-01")];
    let judged = judged(&all, None, Some(100));
    assert_eq!(judged, [(1, Action::Keep), (2, Action::Keep), (3, Action::Delete)]);
}

#[test]
fn a_build_without_a_date_is_as_old_as_we_know_it() {
    let undated = Template { date: BuildDate::default(), ..template(1, "1.0.1", "2020-01-01") };
    let all = [undated, template(2, "1.0.2", "2020-12-30")];
    assert_eq!(judged(&all, Some(200), None), [(1, Action::Disuse)], "found 213 days ago");
    assert_eq!(judged(&all, Some(213), None), [(1, Action::Suggest)]);
}

proptest! {
    /// Whatever there is: of those that can stand in for each other and work, one is always used, and neither deleted nor suggested.
    #[test]
    fn something_always_stays(
        builds in proptest::collection::vec((0_u8..3, 0_u8..3, 0_u32..400, any::<bool>()), 1..20),
        disuse in proptest::option::of(0_u32..300),
        delete in proptest::option::of(0_u32..300),
    ) {
        let today = date("2020-12-31");
        let templates: Vec<_> = (1..).zip(&builds).map(|(id, (y, z, age, works))| {
            let state = if *works { TemplateState::Ready } else { TemplateState::Quarantined };
            let built = today - chrono::Days::new(u64::from(*age));
            Template { state, date: built, ..template(id, &format!("1.{y}.{z}"), "2020-01-01") }
        }).collect();
        let verdicts = judge(&templates, |_| AgeLimits { disuse, delete }, today);
        let spared = |template: &&Template| {
            verdicts.iter().all(|v| v.template != template.id || (v.action == Action::Keep && !v.suggested))
        };
        let works = || templates.iter().filter(|template| template.state == TemplateState::Ready);
        prop_assert_eq!(works().any(|template| spared(&template)), works().next().is_some());
    }
}
