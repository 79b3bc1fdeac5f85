//! Samples: each event once, rows that get wider without telling anything else, and readers who are told what is known and no more.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-03-01T{text}Z").parse().unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn done(tasks: u64) -> Flows {
    Flows { tasks_done: tasks, ..Flows::default() }
}

fn waiting(pools: u64) -> Levels {
    Levels { waiting_pools: pools, ..Levels::default() }
}

/// A minute that ends then, with so many waiting pools, if anybody looked, and tasks that were done.
fn row(end: &str, pools: Option<u64>, tasks: u64) -> Sample {
    let levels = pools.map(waiting);
    let peaks = levels.as_ref().map(Peaks::from);
    Sample { at: at(end), width: MINUTE, sequence: 7, levels, peaks, flows: done(tasks) }
}

#[test]
fn a_sample_is_for_the_minute_that_has_just_ended_or_for_the_one_that_runs() {
    for (now, minute) in
        [("10:05:00.02", "10:05:00"), ("10:05:09.9", "10:05:00"), ("10:05:10", "10:06:00"), ("10:05:59", "10:06:00")]
    {
        assert_eq!(minute_of(at(now)), at(minute), "{now}");
    }
}

#[test]
fn what_comes_late_or_early_is_counted_once_all_the_same() {
    let counted = [("10:03:59", 1), ("10:04:00", 2), ("10:06:30", 4), ("10:08:01", 8)];
    let counted = counted.map(|(moment, tasks)| (at(moment), done(tasks)));
    let minutes: Vec<_> = tallied(at("10:05:00"), at("10:08:00"), counted).into_iter().collect();
    assert_eq!(minutes, [(at("10:05:00"), done(3)), (at("10:07:00"), done(4)), (at("10:08:00"), done(8))]);
    // Nor does it matter if the clock went back.
    let minutes = tallied(at("10:05:00"), at("10:04:00"), [(at("10:03:30"), done(1))]);
    assert_eq!(minutes.into_iter().collect::<Vec<_>>(), [(at("10:05:00"), done(1))]);
}

#[test]
fn rows_become_wider() {
    let rows = [
        row("10:01:00", Some(1), 1),
        row("10:07:00", Some(9), 2),
        row("10:10:00", Some(2), 4),
        row("10:11:00", Some(5), 8),
        row("10:18:00", None, 16),
        row("10:21:00", Some(3), 32),
    ];
    let Thinned { gone, new } = thinned(&rows, TEN_MINUTES, at("12:00:00"), false);
    assert_eq!(gone, rows[..5].iter().map(|row| row.at).collect::<Vec<_>>(), "the last span may have more");
    let told: Vec<_> = new.iter().map(|row| (row.at, row.levels.clone(), row.flows.tasks_done)).collect();
    assert_eq!(told, [(at("10:10:00"), Some(waiting(2)), 7), (at("10:20:00"), None, 24)]);
    assert_eq!(new.iter().map(|row| row.peaks.unwrap().waiting_pools).collect::<Vec<_>>(), [9, 5]);
    let gone = |before: &str, whole: bool| thinned(&rows, TEN_MINUTES, at(before), whole).gone.len();
    assert_eq!(
        [gone("10:30:00", true), gone("10:29:59", true), gone("10:19:59", true)],
        [6, 5, 3],
        "they must have ended"
    );
    assert_eq!(thinned(&rows, HOUR, at("12:00:00"), false), Thinned::default());
    assert_eq!(thinned(&[], HOUR, at("12:00:00"), true), Thinned::default());
}

#[test]
fn waits_are_added_up_and_percentiles_read_off_them() {
    let mut waits = Waits::of(Duration::ZERO, 90);
    assert_eq!(waits.percentile(50), Some(Duration::ZERO), "no longer than the longest");
    waits.add(&Waits::of(secs(40), 9));
    waits.add(&Waits::of(secs(7200), 1));
    assert_eq!((waits.count(), waits.longest), (100, secs(7200)));
    assert!(waits.percentile(50).unwrap() <= BOUNDS[0]);
    let high = waits.percentile(95).unwrap();
    assert!((secs(30)..=secs(60)).contains(&high), "{high:?}");
    assert_eq!(waits.percentile(100), Some(secs(7200)));
    assert_eq!(Waits::default().percentile(50), None);
    assert_eq!(Waits::of(secs(60), 1).buckets[5], 1, "bounds are included");
    assert_eq!(Waits::of(secs(3601), 1).buckets[11], 1);
}

#[test]
fn a_reader_is_told_what_is_known() {
    let span = Span { from: at("10:00:00"), to: at("10:07:00"), step: MINUTE };
    let rows = vec![row("10:02:00", Some(4), 1), row("10:04:00", None, 2), row("10:05:00", None, 0)];
    let known = Some(Known { since: at("09:00:00"), uncounted: Some(at("10:06:10")) });
    let points = points(&span, Some(row("09:58:00", Some(1), 99)), rows.clone(), known);
    let pools = |point: &Point| point.levels.as_ref().map(|levels| levels.waiting_pools);
    let told: Vec<_> = points.iter().map(|point| (pools(point), point.flows.map(|flows| flows.tasks_done))).collect();
    let (same, gap) = ((Some(4), Some(0)), None);
    let expected =
        [(Some(1), Some(0)), (Some(4), Some(1)), same, (gap, Some(2)), (gap, Some(0)), (gap, Some(0)), (gap, None)];
    assert_eq!(told, expected);
    assert_eq!(points.iter().map(|point| point.at).collect::<Vec<_>>()[..2], [at("10:01:00"), at("10:02:00")]);
    // In wider steps; the last one is shorter.
    let wide = Span { step: secs(300), ..span };
    let points = super::points(&wide, Some(row("09:58:00", Some(9), 0)), rows.clone(), known);
    assert_eq!(points.iter().map(|point| point.covers.as_secs()).collect::<Vec<_>>(), [300, 120]);
    assert_eq!(points[0].peaks.unwrap().waiting_pools, 9, "that is how it stood in the beginning");
    assert_eq!(points[0].flows, Some(done(3)));
    // Before anybody ever looked nothing is known.
    let points = super::points(&span, None, rows, Some(Known { since: at("10:02:00"), uncounted: None }));
    assert_eq!(points.iter().map(|point| point.flows.is_some()).collect::<Vec<_>>()[..3], [false, false, true]);
    assert!(super::points(&span, None, Vec::new(), None).iter().all(|point| point.flows.is_none()));
}

#[test]
fn spans_are_checked() {
    let now = at("10:07:30");
    let days = |days: u64| now - secs(days * 86_400);
    let default = span(now, None, None, None).unwrap();
    assert_eq!((default.to, default.step), (at("10:07:00"), secs(300)));
    assert_eq!(default.from.timestamp() % 300, 0);
    assert_eq!(span(now, Some(days(3)), None, None).unwrap().step, secs(1800));
    assert_eq!(span(now, Some(days(364)), None, None).unwrap().step, secs(2 * 86_400));
    assert_eq!(span(now, Some(at("10:05:00")), Some(now + secs(99)), None).unwrap().to, at("10:07:00"));
    let refused = |from, to, step| span(now, from, to, step).unwrap_err().metadata[0].1.clone();
    assert_eq!(refused(Some(now), None, None), "from");
    assert_eq!(refused(Some(days(366)), None, None), "from");
    assert_eq!(refused(None, Some(Timestamp::MIN_UTC), None), "from");
    assert_eq!(refused(Some(Timestamp::MAX_UTC), None, None), "from");
    for step in [Duration::ZERO, secs(61), secs(60) + Duration::from_nanos(1), Duration::MAX] {
        assert_eq!(refused(None, None, Some(step)), "step", "{step:?}");
    }
    assert_eq!(refused(Some(days(3)), None, Some(secs(900))), "step");
    assert_eq!(refused(Some(days(31)), None, Some(secs(600))), "step");
    let many = span(now, None, None, Some(secs(60))).unwrap_err();
    assert!(many.message.contains("2m or more"), "{}", many.message);
    assert!(span(now, None, None, Some(secs(120))).is_ok());
}

proptest! {
    /// Whatever is asked for, points follow each other without gaps from beginning to end, and there are not too many.
    #[test]
    fn points_cover_their_span(ago in 60_u64..365 * 86_400, length in 60_u64..365 * 86_400, step in proptest::option::of(1_u64..5000)) {
        let now = at("10:07:30");
        let from = now - secs(ago);
        let step = step.map(|minutes| secs(60 * minutes));
        if let Ok(span) = span(now, Some(from), Some(from + secs(length)), step) {
            let points = points(&span, None, Vec::new(), None);
            prop_assert!(points.len() as u64 <= MAX_POINTS + 1);
            let mut end = span.from;
            for point in &points {
                prop_assert_eq!(end + point.covers, point.at);
                end = point.at;
            }
            prop_assert_eq!(end, span.to);
            prop_assert!(span.from <= from && span.to <= now);
        }
    }

    /// Made wider, rows tell the same in wide steps as before.
    #[test]
    fn wider_rows_tell_the_same(minutes in proptest::collection::btree_map(0_u64..60, (proptest::option::of(0_u64..9), 0_u64..9), 0..20)) {
        let begin = at("10:00:00");
        let rows: Vec<_> = minutes
            .into_iter()
            .map(|(minute, (pools, tasks))| Sample { at: begin + secs(60 * (minute + 1)), ..row("10:00:00", pools, tasks) })
            .collect();
        let span = Span { from: begin, to: at("11:00:00"), step: TEN_MINUTES };
        let known = Some(Known { since: begin, uncounted: None });
        let wide = thinned(&rows, TEN_MINUTES, at("11:00:00"), true).new;
        prop_assert_eq!(points(&span, None, rows, known), points(&span, None, wide, known));
    }
}
