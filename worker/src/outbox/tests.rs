//! Order, bounds and cost of what waits to be sent.

use std::time::{Duration, Instant};

use super::*;

fn task(task_id: u64) -> TaskRef {
    TaskRef { task_id, epoch: 1 }
}

fn done(task: TaskRef) -> Done {
    Done { task: Some(task), result: None }
}

fn drain(outbox: &Outbox) -> Vec<Message> {
    std::iter::from_fn(|| outbox.try_next()).collect()
}

fn lines(messages: Vec<Message>) -> Vec<String> {
    let lines = messages.into_iter().filter_map(|message| match message {
        Message::Log(log) => Some(log.line),
        _ => None,
    });
    lines.collect()
}

#[test]
fn the_newest_progress_wins_and_a_result_comes_last() {
    let outbox = Outbox::default();
    outbox.progress(&task(1), None, "a".into());
    outbox.progress(&task(1), Some(50), "b".into());
    outbox.log(&task(1), LogLevel::Info, "line".into());
    outbox.log(&task(2), LogLevel::Info, "other".into());
    outbox.done(done(task(2)));
    let messages = drain(&outbox);
    assert!(matches!(&messages[0], Message::Log(log) if log.line == "line"), "{messages:?}");
    assert!(matches!(&messages[1], Message::Log(log) if log.line == "other"), "{messages:?}");
    assert!(matches!(&messages[2], Message::Progress(progress) if progress.status == "b"), "{messages:?}");
    assert!(matches!(&messages[3], Message::Done(_)), "{messages:?}");
    assert_eq!(messages.len(), 4);
    outbox.progress(&task(2), None, "late".into());
    assert_eq!(drain(&outbox).len(), 0, "nothing comes after a result");
}

#[test]
fn results_are_sent_in_each_session_until_acknowledged() {
    let outbox = Outbox::default();
    outbox.done(done(task(1)));
    assert_eq!(drain(&outbox).len(), 1);
    assert_eq!(drain(&outbox).len(), 0, "once per session");
    outbox.rewind();
    assert_eq!(drain(&outbox).len(), 1);
    outbox.repeat(&task(1));
    assert_eq!(drain(&outbox).len(), 1);
    outbox.acknowledged(&TaskRef { task_id: 1, epoch: 2 });
    assert_eq!(outbox.unacknowledged(), [task(1)], "another epoch's acknowledgement is not ours");
    outbox.acknowledged(&task(1));
    outbox.rewind();
    assert_eq!(drain(&outbox).len(), 0);
    assert_eq!(outbox.ended(1), None);
}

#[test]
fn a_flood_of_lines_drops_the_oldest_and_says_so() {
    let outbox = Outbox::default();
    for n in 0..TASK_LINES + 3 {
        outbox.log(&task(1), LogLevel::Info, n.to_string());
    }
    let lines = lines(drain(&outbox));
    assert_eq!(lines.len(), TASK_LINES + 1);
    assert!(lines[0].starts_with("3 log lines dropped"), "{}", lines[0]);
    assert_eq!(lines[1], "3");
}

#[test]
fn lines_of_all_tasks_are_bounded_and_results_are_not() {
    let outbox = Outbox::default();
    let tasks = u64::try_from(LINES).unwrap() + 10;
    for id in 0..tasks {
        outbox.log(&task(id), LogLevel::Info, "line".into());
        outbox.done(done(task(id)));
    }
    let messages = drain(&outbox);
    let results = messages.iter().filter(|message| matches!(message, Message::Done(_))).count();
    assert_eq!(u64::try_from(results).unwrap(), tasks);
    let lines = lines(messages);
    assert_eq!(lines.iter().filter(|line| *line == "line").count(), LINES);
    assert_eq!(lines.iter().filter(|line| line.starts_with("1 log lines dropped")).count(), 10);
}

#[test]
fn a_flood_does_not_keep_others_waiting() {
    let outbox = Outbox::default();
    for n in 0..TASK_LINES {
        outbox.log(&task(1), LogLevel::Info, n.to_string());
    }
    outbox.done(done(task(2)));
    assert!(matches!(outbox.try_next(), Some(Message::Log(_))));
    assert!(matches!(outbox.try_next(), Some(Message::Done(_))));
}

#[test]
fn nothing_is_sent_of_a_forgotten_task() {
    let outbox = Outbox::default();
    outbox.log(&task(1), LogLevel::Info, "line".into());
    outbox.log(&task(1), LogLevel::Info, "line".into());
    assert!(outbox.try_next().is_some());
    outbox.progress(&task(1), None, "status".into());
    outbox.done(done(task(1)));
    outbox.forget(&task(1));
    assert_eq!(drain(&outbox).len(), 0);
    assert!(outbox.unacknowledged().is_empty());
    // Forgotten and begun anew before its turn came.
    outbox.done(done(task(1)));
    outbox.forget(&task(1));
    outbox.done(done(TaskRef { task_id: 1, epoch: 2 }));
    assert_eq!(drain(&outbox).len(), 1);
}

#[test]
fn an_older_assignment_is_not_heard_beside_a_newer_one() {
    let outbox = Outbox::default();
    let newer = TaskRef { task_id: 1, epoch: 2 };
    outbox.log(&task(1), LogLevel::Info, "old".into());
    outbox.log(&newer, LogLevel::Info, "new".into());
    outbox.log(&task(1), LogLevel::Info, "late".into());
    outbox.done(done(task(1)));
    assert_eq!(lines(drain(&outbox)), ["new"]);
    assert!(outbox.unacknowledged().is_empty());
}

#[test]
fn leaving_is_said_first_and_once() {
    let outbox = Outbox::default();
    assert!(!outbox.rewind());
    outbox.done(done(task(1)));
    outbox.leave();
    outbox.leave();
    assert!(matches!(drain(&outbox)[..], [Message::Leaving(_), Message::Done(_)]));
    assert!(outbox.rewind(), "now Hello says it");
    assert!(matches!(drain(&outbox)[..], [Message::Done(_)]));
}

#[tokio::test]
async fn whoever_waits_for_the_last_acknowledgement_is_told() {
    let outbox = Outbox::default();
    outbox.done(done(task(1)));
    outbox.done(done(task(1)));
    let mut all = std::pin::pin!(outbox.all_acknowledged());
    assert!(futures::poll!(&mut all).is_pending());
    outbox.acknowledged(&task(1));
    all.await;
}

/// A hundred thousand open results cost each of them no more than a few would.
#[test]
fn a_result_costs_the_same_among_many() {
    let begun = Instant::now();
    let outbox = Outbox::default();
    let ids = 0..100_000;
    for id in ids.clone() {
        outbox.done(done(task(id)));
    }
    assert_eq!(drain(&outbox).len(), 100_000);
    for id in ids {
        assert!(outbox.ended(id).is_some());
        outbox.acknowledged(&task(id));
    }
    assert!(outbox.unacknowledged().is_empty());
    // Linear searches would take minutes.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
