use std::{fs, os::unix::fs::symlink, path::PathBuf, time::Duration};

use sprout_domain::ApplianceId;
use tempfile::TempDir;

use super::*;

const SMALL: Limits = Limits { part_bytes: 100, parts: 3, open_files: 2 };

struct Fixture {
    dir: TempDir,
    logs: FileLogs,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let logs = FileLogs::open(dir.path(), SMALL).unwrap();
        Self { dir, logs }
    }

    /// The same directory, opened by the next process.
    async fn reopen(self) -> Self {
        self.logs.flush().await;
        Self { logs: FileLogs::open(self.dir.path(), SMALL).unwrap(), dir: self.dir }
    }

    async fn append(&self, of: &LogOf, lines: &[&str]) {
        self.logs.append(of, lines.iter().map(|line| (*line).to_owned()).collect()).await;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn appliance(id: i64) -> LogOf {
    LogOf::Appliance(ApplianceId(id))
}

#[tokio::test]
async fn what_was_appended_is_read_at_once() {
    let fixture = Fixture::new();
    let of = appliance(1);
    assert_eq!(fixture.logs.read(&of, 7, 10).await.unwrap(), (vec![], 0));
    let mut changed = fixture.logs.changed();
    fixture.append(&of, &["one", "two\nthree\n", ""]).await;
    tokio::time::timeout(Duration::from_secs(5), changed.changed()).await.unwrap().unwrap();
    let (lines, end) = fixture.logs.read(&of, 0, 2).await.unwrap();
    assert_eq!((lines, end), (vec!["one".to_owned(), "two".to_owned()], 8));
    let (lines, end) = fixture.logs.read(&of, end, 10).await.unwrap();
    assert_eq!((lines, end), (vec!["three".to_owned(), String::new()], 15));
    assert_eq!(fixture.logs.read(&of, u64::MAX, 10).await.unwrap(), (vec![], 15));
    assert_eq!(fs::read_to_string(fixture.path("appliance/1.log")).unwrap(), "one\ntwo\nthree\n\n");
}

#[tokio::test]
async fn positions_survive_rotation_and_restart() {
    let mut fixture = Fixture::new();
    let of = LogOf::Provider("lab".into());
    // 50 lines of 10 bytes: parts of 100 bytes, of which the last 3 are kept, the newest one empty so far.
    for number in 0..50 {
        fixture.append(&of, &[&format!("line {number:04}")]).await;
        if number == 25 {
            fixture = fixture.reopen().await;
        }
    }
    let (lines, end) = fixture.logs.read(&of, 0, 1000).await.unwrap();
    assert_eq!((lines.len(), lines[0].as_str(), end), (20, "line 0030", 500));
    assert_eq!(fixture.logs.read(&of, 390, 2).await.unwrap().0, ["line 0039", "line 0040"], "across parts");
    fixture.append(&of, &["the end"]).await;
    assert_eq!(fixture.logs.read(&of, 500, 9).await.unwrap(), (vec!["the end".to_owned()], 508));
    let mut names: Vec<_> =
        fs::read_dir(fixture.path("provider/lab.parts")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["300.log", "400.log"]);
}

#[tokio::test]
async fn a_line_that_a_crash_cut_is_ended_and_never_read_in_half() {
    let fixture = Fixture::new();
    fs::write(fixture.path("appliance/1.log"), "whole\nhal").unwrap();
    assert_eq!(fixture.logs.read(&appliance(1), 0, 9).await.unwrap(), (vec!["whole".to_owned()], 6));
    fixture.append(&appliance(1), &["next"]).await;
    assert_eq!(fixture.logs.read(&appliance(1), 6, 9).await.unwrap().0, ["hal", "next"]);
}

#[tokio::test]
async fn more_logs_than_open_files() {
    let fixture = Fixture::new();
    for round in ["a", "b"] {
        for id in 0..10 {
            fixture.append(&appliance(id), &[round]).await;
        }
    }
    for id in 0..10 {
        assert_eq!(fixture.logs.read(&appliance(id), 0, 9).await.unwrap().0, ["a", "b"]);
    }
}

#[tokio::test]
async fn links_are_not_followed() {
    let fixture = Fixture::new();
    let victim = fixture.path("victim");
    fs::write(&victim, "secret\n").unwrap();
    symlink(&victim, fixture.path("appliance/1.log")).unwrap();
    fixture.append(&appliance(1), &["overwritten"]).await;
    assert!(fixture.logs.read(&appliance(1), 0, 9).await.is_err());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "secret\n");
    fixture.append(&appliance(2), &["others go on"]).await;
    assert_eq!(fixture.logs.read(&appliance(2), 0, 9).await.unwrap().0, ["others go on"]);
}

#[tokio::test]
async fn a_disk_that_fails_costs_lines_and_nothing_else() {
    let fixture = Fixture::new();
    // A directory in the file's place is a disk that fails until it is repaired.
    fs::create_dir(fixture.path("appliance/1.log")).unwrap();
    fixture.append(&appliance(1), &["lost"]).await;
    fixture.logs.flush().await;
    fs::remove_dir(fixture.path("appliance/1.log")).unwrap();
    fixture.append(&appliance(1), &["kept"]).await;
    assert_eq!(fixture.logs.read(&appliance(1), 0, 9).await.unwrap().0, ["kept"]);
}

#[test]
fn a_directory_that_cannot_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let message = FileLogs::open(&file.join("logs"), SMALL).unwrap_err().to_string();
    assert!(message.contains("file/logs cannot be written"), "{message}");
}
